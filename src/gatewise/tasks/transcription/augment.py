"""Random changes of training sequences that leave what they say.

Legend: T frames, B batch, X features of a frame.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

# At strength 1. Of an image's size the logarithm, of its slant columns a row, of its place rows, of its ink's density
# the logarithm of an exponent; of what is drawn anew along the line every `PIECE` columns, in pixels.
WIDTH, HEIGHT, SLANT, PLACE, DENSITY, WAVE, PIECE = 0.08, 0.06, 0.15, 1.0, 0.2, 0.7, 12
# Of other frames: deviations of white noise; and the longest stretch of frames, and the widest band of features, that
# are blotted out, as shares of all.
NOISE, STRETCH, BAND = 0.15, 0.05, 0.15


@dataclass(frozen=True)
class Augmentation:
    """How training sequences are varied.

    Attributes:
        image: whether frames are the columns of an image (0 paper, 1 ink), to be written a little differently: larger
            or smaller, slanted, wavy, with another pen; else they are made noisy, and parts of them blotted out, as in
            SpecAugment (Park et al. 2019, section 2, without time warping).
        strength: by how much; 0 for not at all.
    """

    image: bool
    strength: float

    def apply(
        self, frames: Tensor, lengths: Tensor, least: Tensor, scale: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """A changed copy.

        Args:
            frames: `[T, B, X]`, 0 beyond each sequence's end.
            lengths: `[B]`.
            least: how many frames each sequence has to keep, at most its length `[B]`.
            scale: the deviation of each feature `[X]`.
            generator: of everything random.

        Returns:
            Frames `[T', B, X]`, 0 beyond each sequence's end, and their lengths `[B]`.
        """
        if self.strength == 0:
            return frames, lengths
        if self.image:
            return self._rewritten(frames, lengths, least, generator)
        return self._blotted(frames, lengths, scale, generator), lengths

    def _rewritten(
        self, frames: Tensor, lengths: Tensor, least: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        steps, batch, height = frames.shape
        s = self.strength

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        wanted = (lengths * torch.exp(s * WIDTH * normal(batch))).round().long()
        new = torch.maximum(wanted, least).clamp(min=1)
        widest = int(new.max())
        # Where each pixel of the new image comes from: rows y and columns x of the old one, in pixels.
        middle = (height - 1) / 2
        rows = torch.arange(height)[:, None] - middle
        columns = torch.arange(widest).float()
        waves = functional.interpolate(s * WAVE * normal(batch, 2, widest // PIECE + 2), widest, mode="linear")
        y = rows * torch.exp(s * HEIGHT * normal(batch, 1, 1)) + middle
        y = y + s * PLACE * normal(batch, 1, 1) + waves[:, 0, None]
        x = (columns + 0.5) * (lengths / new)[:, None, None] - 0.5 + waves[:, 1, None]
        x = x + s * SLANT * normal(batch, 1, 1) * rows
        grid = torch.stack(((2 * x + 1) / steps - 1, (2 * y + 1) / height - 1), dim=-1)
        image = frames.permute(1, 2, 0).unsqueeze(1)
        found = functional.grid_sample(image, grid, align_corners=False).squeeze(1).permute(2, 0, 1)
        found = found.clamp(0, 1) ** torch.exp(s * DENSITY * normal(1, batch, 1))
        return found * (torch.arange(widest)[:, None] < new).unsqueeze(-1), new

    def _blotted(self, frames: Tensor, lengths: Tensor, scale: Tensor, generator: torch.Generator) -> Tensor:
        steps, batch, features = frames.shape
        s = self.strength

        def shares(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator)

        found = frames + s * NOISE * scale * torch.randn(frames.shape, generator=generator)
        means = frames.sum(0) / lengths[:, None]
        time, feature = torch.arange(steps)[:, None], torch.arange(features)
        for _ in range(2):
            width = lengths * STRETCH * s * shares(batch)
            start = (lengths - width) * shares(batch)
            found = torch.where(((time >= start) & (time < start + width)).unsqueeze(-1), means, found)
        band = features * min(BAND * s, 1.0) * shares(batch, 1)
        first = (features - band) * shares(batch, 1)
        found = torch.where((feature >= first) & (feature < first + band - 0.5), means, found)
        return found * (time < lengths).unsqueeze(-1)
