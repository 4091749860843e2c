"""Random layers and batches, torch's answer for them, and the comparison of all gradients."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from gatewise.nn import LSTM
from tests.tolerance import assert_close


@dataclass(frozen=True)
class Case:
    """A layer and a batch: T steps, B sequences of these lengths, and the arguments of the layer."""

    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    bidirectional: bool
    proj_size: int
    lengths: tuple[int, ...]
    steps: int
    with_hx: bool
    dtype: torch.dtype
    seed: int

    @property
    def batch(self) -> int:
        return len(self.lengths)

    @property
    def arguments(self) -> dict[str, Any]:
        names = ("input_size", "hidden_size", "num_layers", "bias", "bidirectional", "proj_size", "dtype")
        return {name: getattr(self, name) for name in names}

    def without_lengths(self) -> "Case":
        return replace(self, lengths=(self.steps,) * self.batch)

    def layers(self, backend: str, **more: Any) -> tuple[LSTM, torch.nn.LSTM]:
        torch.manual_seed(self.seed)
        theirs = torch.nn.LSTM(**self.arguments, **more)
        ours = LSTM(**self.arguments, **more, backend=backend)
        ours.load_state_dict(theirs.state_dict())
        return ours, theirs

    def data(self) -> tuple[Tensor, Tensor, Tensor]:
        """x [T, B, X], h [L*D, B, O] and c [L*D, B, H]."""
        generator = torch.Generator().manual_seed(self.seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=self.dtype)

        count, width = self.num_layers * (1 + self.bidirectional), self.proj_size or self.hidden_size
        states = normal(count, self.batch, width), normal(count, self.batch, self.hidden_size)
        return normal(self.steps, self.batch, self.input_size), *states


@st.composite
def cases(draw: st.DrawFn, dtype: torch.dtype, zero_lengths: bool = True) -> Case:
    hidden = draw(st.integers(1, 6))
    steps = draw(st.integers(1, 9))
    lengths = st.lists(st.integers(0 if zero_lengths else 1, steps), min_size=1, max_size=5)
    return Case(
        input_size=draw(st.integers(1, 5)),
        hidden_size=hidden,
        num_layers=draw(st.integers(1, 3)),
        bias=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        proj_size=draw(st.integers(0, hidden - 1)),
        lengths=tuple(draw(lengths)),
        steps=steps,
        with_hx=draw(st.booleans()),
        dtype=dtype,
        seed=draw(st.integers(0, 10**6)),
    )


def torch_one_by_one(
    theirs: torch.nn.LSTM, x: Tensor, hx: tuple[Tensor, Tensor], lengths: tuple[int, ...]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """torch's answer for ragged sequences without padding and packing: each sequence by itself; x is [T, B, X]."""
    columns, hs, cs = [], [], []
    width = (theirs.proj_size or theirs.hidden_size) * (1 + theirs.bidirectional)
    for b, length in enumerate(lengths):
        h, c = hx[0][:, b : b + 1], hx[1][:, b : b + 1]
        outputs = [x.new_zeros(x.shape[0] - length, 1, width)]
        if length:
            out, (h, c) = theirs(x[:length, b : b + 1], (h, c))
            outputs.insert(0, out)
        columns.append(torch.cat(outputs))
        hs.append(h)
        cs.append(c)
    return torch.cat(columns, 1), (torch.cat(hs, 1), torch.cat(cs, 1))


def gradients(results: tuple[Tensor, Tensor, Tensor], leaves: list[Tensor], seed: int) -> tuple[Tensor, ...]:
    """Gradients of a random weighting of output, h and c; zeros where a leaf has no influence."""
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(result.shape, generator=generator, dtype=result.dtype) for result in results]
    loss = sum((result * weight).sum() for result, weight in zip(results, weights, strict=True))
    assert isinstance(loss, Tensor)
    if not loss.requires_grad:  # all sequences empty and no state given: torch was not called at all
        return tuple(torch.zeros_like(leaf) for leaf in leaves)
    return torch.autograd.grad(loss, leaves, materialize_grads=True)


def compare(
    ours: tuple[Tensor, tuple[Tensor, Tensor]],
    theirs: tuple[Tensor, tuple[Tensor, Tensor]],
    our_leaves: dict[str, Tensor],
    their_leaves: dict[str, Tensor],
    case: Case,
) -> None:
    """Outputs, final states and the gradient of every leaf."""
    mine, other = (ours[0], *ours[1]), (theirs[0], *theirs[1])
    for name, got, want in zip(("output", "h", "c"), mine, other, strict=True):
        assert_close(got, want, case.steps, name)
    got_all = gradients(mine, list(our_leaves.values()), case.seed)
    want_all = gradients(other, list(their_leaves.values()), case.seed)
    for name, got, want in zip(our_leaves, got_all, want_all, strict=True):
        assert_close(got, want, case.steps, f"gradient of {name}")


def leaves(x: Tensor, h: Tensor, c: Tensor, layer: torch.nn.Module, with_hx: bool) -> dict[str, Tensor]:
    """Fresh leaves by name: the data (to be read from here) and the layer's parameters."""
    data = {"x": x, "h0": h, "c0": c} if with_hx else {"x": x}
    fresh = {name: value.detach().clone().requires_grad_() for name, value in data.items()}
    return fresh | dict(layer.named_parameters())
