"""How surprising errors of prediction are. Legend: N steps, X channels."""

from dataclasses import dataclass

import numpy as np

from gatewise.errors import DataError


@dataclass(frozen=True, eq=False)
class Surprise:
    """The normal distribution of the errors of a model that predicts normal series, and from where on to raise alarm.

    Malhotra, Vig, Shroff & Agarwal 2015, Long Short Term Memory Networks for Anomaly Detection in Time Series: errors
    on a validation part are fitted with a multivariate normal; steps are judged by their likelihood. The score is the
    Mahalanobis distance of a step's errors over sqrt(X), a decreasing function of that likelihood, which is about 1
    where all is well. Deviations: errors of one step ahead alone; the alarm's threshold is a quantile of the scores of
    the validation part, since anomalies to choose it by are seldom there.

    Attributes:
        mean: of the errors `[X]`.
        precision: the inverse of their covariance `[X, X]`.
        threshold: scores above raise alarm.
    """

    mean: np.ndarray
    precision: np.ndarray
    threshold: float

    @classmethod
    def fit(cls, errors: np.ndarray, alarm: float) -> "Surprise":
        """Of errors on a validation part `[N, X]`, NaN where a value is missing.

        Args:
            errors: steps that lack any value are left out.
            alarm: the share of these steps that is to raise alarm.

        Raises:
            DataError: too few steps for a covariance.
        """
        known = errors[~np.isnan(errors).any(1)]
        least = 10 * errors.shape[1]
        if len(known) < least:
            raise DataError(
                f"the validation part has {len(known)} steps with all their values, and the errors of "
                f"{errors.shape[1]} channels need at least {least}: give more data, or a larger validation share"
            )
        covariance = np.cov(known, rowvar=False).reshape(errors.shape[1], -1)
        # So that a channel without errors, or two that are one, have an inverse.
        floor = 1e-6 * max(float(np.trace(covariance)) / len(covariance), 1e-12)
        precision = np.linalg.inv(covariance + floor * np.eye(len(covariance)))
        found = cls(known.mean(0), precision, 0.0)
        return cls(found.mean, precision, float(np.quantile(found.scores(known), 1 - alarm)))

    def scores(self, errors: np.ndarray) -> np.ndarray:
        """Scores `[N]` of errors `[N, X]`; a value that is missing counts as expected."""
        off = np.nan_to_num(errors - self.mean)
        squares = np.einsum("nx,xy,ny->n", off, self.precision, off)
        return np.sqrt(np.maximum(squares, 0) / errors.shape[1])
