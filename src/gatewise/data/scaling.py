"""Scalers: fitted on training rows, kept with the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatewise.errors import DataError


@dataclass(frozen=True, eq=False)
class Standardizer:
    """Each channel to mean 0 and standard deviation 1, as seen on the rows it was fitted on.

    `mean`, `scale`: float64 `[X]`. A channel without variance has scale 1; one without any value has mean 0.

    >>> scaler = Standardizer.fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scaler.transform(np.array([[3.0, 6.0]]))
    array([[1., 1.]])
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, mask: np.ndarray | None = None) -> "Standardizer":
        """From `values` `[N, X]` (or `[N]`: one channel); NaN and rows or entries where `mask` is false are left out.

        `mask` is bool, `[N]` or of the values' shape. Raises `DataError` for infinite values and other shapes.
        """
        values = np.asarray(values, np.float64)
        table = values[:, None] if values.ndim == 1 else values
        if table.ndim != 2:
            raise DataError(f"expected values [N, X] or [N], got {list(values.shape)}")
        use = ~np.isnan(table)
        if mask is not None:
            mask = np.asarray(mask, bool)
            if mask.shape not in (table.shape[:1], table.shape, values.shape):
                raise DataError(
                    f"expected a mask {list(table.shape[:1])} or {list(values.shape)}, got {list(mask.shape)}"
                )
            use &= mask[:, None] if mask.ndim == 1 else mask
        if np.isinf(table[use]).any():
            raise DataError("cannot scale infinite values: replace them, or mark them missing with NaN")
        count = np.maximum(use.sum(0), 1)
        mean = np.where(use, table, 0.0).sum(0) / count
        # from the deviations, in a second pass: exact for large means, where E[x^2] - E[x]^2 is not
        deviation = np.sqrt(np.square(np.where(use, table - mean, 0.0)).sum(0) / count)
        constant = deviation <= 1e-12 * np.maximum(np.abs(mean), np.finfo(np.float64).tiny)
        return cls(mean, np.where(constant, 1.0, deviation))

    def transform(self, values: np.ndarray) -> np.ndarray:
        """`values` `[..., X]` (or `[N]` for one channel) in standard units; NaN stays NaN."""
        values, mean, scale = self._checked(values)
        return (values - mean) / scale

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """`values` `[..., X]` (or `[N]` for one channel) in their own units again."""
        values, mean, scale = self._checked(values)
        return values * scale + mean

    def to_dict(self) -> dict[str, list[float]]:
        """Its numbers, for a file."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Standardizer":
        """The scaler `to_dict` wrote. Raises `DataError` for other keys, lengths that differ and scales not above 0."""
        if set(fields) != {"mean", "scale"}:
            raise DataError(f"a scaler is written with the keys mean, scale; got {', '.join(sorted(fields))}")
        mean, scale = np.asarray(fields["mean"], np.float64), np.asarray(fields["scale"], np.float64)
        if mean.ndim != 1 or mean.shape != scale.shape or not np.isfinite(mean).all() or not (scale > 0).all():
            raise DataError("a scaler needs one finite mean and one scale above 0 a channel")
        return cls(mean, scale)

    def _checked(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The values as floating point numbers, and mean and scale of the same type."""
        values = np.asarray(values)
        if values.ndim == 0 or (values.shape[-1] != len(self.mean) and not (values.ndim == 1 and len(self.mean) == 1)):
            raise DataError(f"this scaler knows {len(self.mean)} channels; got values {list(values.shape)}")
        kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
        return values.astype(kind, copy=False), self.mean.astype(kind), self.scale.astype(kind)
