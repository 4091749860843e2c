"""Random changes of training sequences that leave what they say.

Legend: T frames, B batch, X features of a frame.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gatewise.data.audio import SpecAugment

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
        self,
        frames: Tensor,
        lengths: Tensor,
        least: Tensor,
        mean: Tensor,
        scale: Tensor,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """A changed copy.

        Args:
            frames: `[T, B, X]`, 0 beyond each sequence's end.
            lengths: `[B]`.
            least: how many frames each sequence has to keep, at most its length `[B]`.
            mean: of each feature `[X]`, by which parts that are blotted out are replaced.
            scale: its deviation `[X]`.
            generator: of everything random.

        Returns:
            Frames `[T', B, X]`, 0 beyond each sequence's end, and their lengths `[B]`.
        """
        if self.strength == 0:
            return frames, lengths
        if self.image:
            return self._rewritten(frames, lengths, least, generator)
        return self._blotted(frames, lengths, mean, scale, generator), lengths

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

    def _blotted(
        self, frames: Tensor, lengths: Tensor, mean: Tensor, scale: Tensor, generator: torch.Generator
    ) -> Tensor:
        strength, features = self.strength, frames.shape[2]
        hide = SpecAugment(
            feature_masks=1,
            widest=min(round(BAND * strength * features), features),
            frame_masks=2,
            longest=len(frames),
            share=min(STRETCH * strength, 1.0),
        )
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        noise = strength * NOISE * torch.randn(frames.shape, generator=generator)
        noisy = ((frames - mean) / scale + noise).numpy()
        found = torch.zeros_like(frames)
        for b, length in enumerate(lengths.tolist()):
            found[:length, b] = torch.from_numpy(hide(noisy[:length, b], random)) * scale + mean
        return found
