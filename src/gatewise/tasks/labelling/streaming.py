"""A causal labeller that is given its sequence bit by bit.

Legend: T steps, X channels, K outputs, k the look-ahead.
"""

from collections.abc import Callable

import numpy as np
import torch

from gatewise.data import Ragged
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.classification.inputs import Preparation
from gatewise.tasks.labelling.network import LabellerNetwork


class LabellerStream:
    """Reads one sequence whose steps come bit by bit, and says of each step what the model says of the whole.

    A step's outputs come as soon as the `look_ahead` steps after it are there. However the sequence is cut, they are
    those of the whole: what the LSTM computes is equal, and the last layer's sums but for their rounding.

    Attributes:
        steps: how many steps it was given.
        told: of how many of them it has said something.
        look_ahead: how many steps a step has to wait for.
    """

    def __init__(
        self,
        network: LabellerNetwork,
        preparation: Preparation,
        finished: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> None:
        if network.delay is None:
            raise ConfigurationError(
                "this model reads its sequences in both directions, so it has to have all of one before it can begin: "
                "for streams train one with look_ahead=0 or more"
            )
        self.look_ahead = max(network.delay, 0)
        self._network, self._preparation, self._finish = network, preparation, finished
        self._lstm = network.lstm.stream()
        self.reset()

    def reset(self) -> None:
        """Begin the next sequence."""
        self.steps = self.told = 0
        self._ended = False
        self._lstm.reset()
        self._last: torch.Tensor | None = None
        width = self._network.lstm.input_size
        delay = self._network.delay
        # A network that predicts says of the first step what it makes of nothing.
        self._hidden = self._run(torch.zeros(1, width, device=self._device)) if delay == -1 else None

    @property
    def _device(self) -> torch.device:
        return self._network.difference_scale.device

    def feed(self, steps: np.ndarray) -> np.ndarray:
        """Take steps; what is now known of steps that were not told of before.

        Args:
            steps: `[T, X]`, any number of them (0, too), in the units of training; NaN where a value is missing.

        Returns:
            Of labels their probabilities, of values these, of anomalies the scores: as the model says them, a row for
            each further step.

        Raises:
            DataError: steps of another shape, or that are infinite; the sequence has ended.
        """
        if self._ended:
            raise DataError("this sequence has ended: reset() begins the next one")
        found = np.asarray(steps, np.float64)
        if found.ndim != 2 or found.shape[1] != self._preparation.n_channels:
            raise DataError(f"expected steps [T, {self._preparation.n_channels}], got {list(found.shape)}")
        if not len(found):
            return self._said(self._lstm_empty(), found)
        prepared = self._preparation.apply(Ragged(found, np.array([0, len(found)])))
        x = torch.from_numpy(prepared.values)[:, None].to(self._device)
        before = x[:0] if self._last is None else self._last
        features = self._network.features(torch.cat([before, x]))[len(before) :, 0]
        newest = torch.cat([torch.zeros_like(x[:1]) if self._last is None else self._last, x[:-1]])[:, 0]
        self._last = x[-1:]
        self.steps += len(found)
        hidden = self._run(features)
        if self._hidden is not None:
            hidden, self._hidden = torch.cat([self._hidden, hidden[:-1]]), hidden[-1:]
        else:
            # Until k steps have come there is nothing to tell.
            hidden = hidden[max(0, len(hidden) - (self.steps - self.look_ahead - self.told)) :]
        return self._said(hidden, found, newest)

    def finish(self) -> np.ndarray:
        """The sequence has ended: what was not yet told of its last steps, in the form of `feed`."""
        left = self.steps - self.told
        empty = np.zeros((0, self._preparation.n_channels))
        if self._ended or left == 0:
            self._ended = True
            return self._said(self._lstm_empty(), empty)
        self._ended = True
        hidden = self._run(torch.zeros(self.look_ahead, self._network.lstm.input_size, device=self._device))
        return self._said(hidden[len(hidden) - left :], empty)

    def _lstm_empty(self) -> torch.Tensor:
        return torch.zeros(0, self._network.linear.in_features, device=self._device)

    def _run(self, features: torch.Tensor) -> torch.Tensor:
        """The LSTM's outputs `[T, H]` of its inputs."""
        with torch.no_grad():
            return self._lstm.feed(features[:, None])[:, 0].clone()

    def _said(self, hidden: torch.Tensor, steps: np.ndarray, newest: torch.Tensor | None = None) -> np.ndarray:
        with torch.no_grad():
            outputs = self._network.linear(hidden)
            if self._network.adds_newest and newest is not None:
                outputs = outputs + newest[:, : self._preparation.n_channels]
        said = self._finish(outputs.cpu().numpy(), steps)
        if self._network.delay == -1 and self.told == 0:
            said[:1] = 0.0  # as of a whole: of a first step nothing could be known
        self.told += len(hidden)
        return said
