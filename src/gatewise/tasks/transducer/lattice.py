"""The sum over all alignments of a transducer, and what each step of them has in it.

A path begins at step 0 with no label. A blank goes to the next step, a label stays at the step and goes to the next
label; the path ends with a blank after the last label at the last step. Graves (2012), "Sequence Transduction with
Recurrent Neural Networks", section 2.4.

Everything runs along diagonals t + u, on which places do not depend on one another, and in float64.

Legend: T steps, B batch, U labels of the longest target, N = T + U diagonals.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Lattice(torch.autograd.Function):
    """Minus the logarithm of the sum over paths."""

    @staticmethod
    def forward(ctx: Any, blanks: Tensor, labels: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        """Losses, float64 `[B]`; infinite without a path of a probability above 0.

        Args:
            ctx: keeps what the backward reads.
            blanks: ln probability of the blank at each step after u labels, `[T, B, U + 1]`.
            labels: that of the target's next label there, `[T, B, U]`.
            steps: how many steps each sequence has, int64 `[B]`, from 1 to T.
            lengths: how many labels each target has, int64 `[B]`, from 0 to U. What lies beyond is not looked at.
        """
        places = _Places.of(blanks, labels, steps, lengths)
        betas = places.backward()
        ctx.places, ctx.betas = places, betas  # neither input nor output, which save_for_backward is for
        ctx.shapes = blanks.shape, labels.shape, blanks.dtype
        return -betas[0, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Minus the probability that the path goes there, given the target."""
        places, betas = ctx.places, ctx.betas
        of_blanks, of_labels, dtype = ctx.shapes
        totals = betas[0, 0]
        weights = torch.where(totals.isinf(), 0.0, -upstream[0])  # an infinite loss does not change with its parts
        blanks, labels = places.posteriors(betas, totals)
        gradients = []
        for posterior, shape in ((blanks, of_blanks), (labels, of_labels)):
            found = places.along_steps(posterior)[:, : shape[2]] * weights
            gradients.append(found.transpose(1, 2).to(dtype))
        return (*gradients, None, None)


class _Places:
    """Logarithms of probabilities at all places, diagonal after diagonal: `[N, U + 1, B]`, sequences side by side.

    Attributes:
        blanks: of going to the next step; -inf where that is not possible.
        labels: of going to the next label; -inf where that is not possible.
        final: of the last blank at the place of the end of each sequence; -inf elsewhere.
        steps: T.
    """

    def __init__(self, blanks: Tensor, labels: Tensor, final: Tensor, steps: int) -> None:
        self.blanks, self.labels, self.final, self.steps = blanks, labels, final, steps

    @classmethod
    def of(cls, blanks: Tensor, labels: Tensor, steps: Tensor, lengths: Tensor) -> "_Places":
        most, _, width = blanks.shape
        device, nothing = blanks.device, float("-inf")
        t = torch.arange(most, device=device)[:, None, None]
        u = torch.arange(width, device=device)[:, None]
        inside = (t < steps) & (u <= lengths)  # [T, U + 1, B]
        last = inside & (t == steps - 1)
        by_label = blanks.detach().double().transpose(1, 2)
        onwards = torch.nn.functional.pad(labels.detach().double(), (0, 1), value=nothing).transpose(1, 2)
        return cls(
            _diagonal(torch.where(inside & ~last, by_label, nothing)),
            _diagonal(torch.where(inside & (u < lengths), onwards, nothing)),
            _diagonal(torch.where(last & (u == lengths), by_label, nothing)),
            most,
        )

    def forward(self) -> Tensor:
        """The logarithms of the probabilities of what leads to each place: alpha."""
        found = torch.full_like(self.blanks, float("-inf"))
        found[0, 0] = 0.0
        for n in range(1, len(found)):
            torch.add(found[n - 1], self.blanks[n - 1], out=found[n])
            by_label = found[n - 1, :-1] + self.labels[n - 1, :-1]
            torch.logaddexp(found[n, 1:], by_label, out=found[n, 1:])
        return found

    def backward(self) -> Tensor:
        """The logarithms of the probabilities of what follows from each place: beta."""
        found = self.final.clone()
        for n in range(len(found) - 2, -1, -1):
            found[n] = torch.logaddexp(found[n], self.blanks[n] + found[n + 1])
            found[n, :-1] = torch.logaddexp(found[n, :-1], self.labels[n, :-1] + found[n + 1, 1:])
        return found

    def posteriors(self, betas: Tensor, totals: Tensor) -> tuple[Tensor, Tensor]:
        """The probabilities of going over each blank and each label, given the targets, `[N, U + 1, B]`."""
        alphas = self.forward()
        alphas -= totals
        # exp(-inf - -inf) is NaN where nothing leads anywhere; what becomes of such sequences the caller knows.
        blanks, labels = (alphas + self.final).exp(), torch.zeros_like(alphas)
        blanks[:-1] += (alphas[:-1] + self.blanks[:-1] + betas[1:]).exp()
        labels[:-1, :-1] = (alphas[:-1, :-1] + self.labels[:-1, :-1] + betas[1:, 1:]).exp()
        if bool(totals.isinf().any()):
            blanks.nan_to_num_()
            labels.nan_to_num_()
        return blanks, labels

    def along_steps(self, diagonals: Tensor) -> Tensor:
        """`[N, U + 1, B]` as `[T, U + 1, B]`."""
        return _skewed(diagonals, self.steps)


def _diagonal(values: Tensor) -> Tensor:
    """`[T, U + 1, B]` as `[T + U, U + 1, B]`: place (t, u) at (t + u, u), and -inf where there is none."""
    steps, width, batch = values.shape
    found = values.new_full((steps + width - 1, width, batch), float("-inf"))
    _skewed(found, steps).copy_(values)
    return found


def _skewed(diagonals: Tensor, steps: int) -> Tensor:
    _, width, batch = diagonals.shape
    return diagonals.as_strided((steps, width, batch), (width * batch, (width + 1) * batch, 1))
