"""Features with parts of them hidden, so that a network does not rely on any one of them.

Legend: T frames, F features.
"""

from dataclasses import dataclass

import numpy as np

from gatewise.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class SpecAugment:
    """Hides stretches of neighbouring features and of neighbouring frames (Park et al. 2019, section 2).

    A mask of features is a number wide that is drawn evenly from 0 to `widest`, and begins evenly where it fits; one of
    frames is 0 to `longest` long, and at most `share` of the recording (the paper's p). What is hidden becomes 0, the
    mean of normalised features; so it is for these. The paper's policy LD has `widest=27, longest=100, share=1.0` and
    two masks each, for 80 bands. The warping of time is left out, which was no major factor there.

    Features with differences have the same mask in each of their `orders` equal parts, so that what is hidden cannot be
    read off its changes.

    Args:
        feature_masks: how many masks of features.
        widest: the most features that one hides.
        frame_masks: how many masks of frames.
        longest: the most frames that one hides.
        share: of a recording's frames, the most that one mask of frames hides.
        orders: of features: 1, or 1 + `differences`.

    Raises:
        ConfigurationError: a value is out of range.

    >>> augment = SpecAugment(feature_masks=1, widest=2, frame_masks=0)
    >>> augment(np.ones((2, 4), np.float32), np.random.default_rng(3))
    array([[0., 0., 1., 1.],
           [0., 0., 1., 1.]], dtype=float32)
    """

    feature_masks: int = 2
    widest: int = 13
    frame_masks: int = 2
    longest: int = 40
    share: float = 0.2
    orders: int = 1

    def __post_init__(self) -> None:
        least = {"feature_masks": 0, "widest": 0, "frame_masks": 0, "longest": 0, "orders": 1}
        for name, bound in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < bound:
                raise ConfigurationError(
                    f"SpecAugment: {name} is {value!r}, expected a whole number of at least {bound}"
                )
        if isinstance(self.share, bool) or not isinstance(self.share, int | float) or not 0 <= self.share <= 1:
            raise ConfigurationError(f"SpecAugment: share is {self.share!r}, expected a number from 0 to 1")

    def __call__(self, frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A copy of features `[T, F]` with parts of them hidden; `random` draws which.

        Raises:
            DataError: features of another shape, or of which the orders are no equal parts.
        """
        if frames.ndim != 2 or frames.shape[1] % self.orders:
            raise DataError(
                f"SpecAugment: expected features [T, F], F divisible by {self.orders}, got {list(frames.shape)}"
            )
        steps, features = len(frames), frames.shape[1] // self.orders
        hidden = frames.reshape(steps, self.orders, features).copy()
        for _ in range(self.feature_masks):
            place = _stretch(min(self.widest, features), features, random)
            hidden[:, :, place] = 0
        for _ in range(self.frame_masks):
            place = _stretch(min(self.longest, int(self.share * steps)), steps, random)
            hidden[place] = 0
        return hidden.reshape(frames.shape)


def _stretch(most: int, length: int, random: np.random.Generator) -> slice:
    size = int(random.integers(most + 1))
    start = int(random.integers(length - size + 1))
    return slice(start, start + size)
