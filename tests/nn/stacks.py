"""Random layers and batches, torch's answer for them, and the comparison of all gradients."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from gatewise.nn import GRU, LSTM, RNN
from tests.tolerance import assert_close

KINDS: dict[str, tuple[Any, Any]] = {
    "LSTM": (LSTM, torch.nn.LSTM),
    "GRU": (GRU, torch.nn.GRU),
    "RNN": (RNN, torch.nn.RNN),
}


@dataclass(frozen=True)
class Case:
    """A layer and a batch: T steps, B sequences of these lengths, and the arguments of the layer."""

    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    bidirectional: bool
    proj_size: int  # of an LSTM
    lengths: tuple[int, ...]
    steps: int
    with_hx: bool
    dtype: torch.dtype
    seed: int
    kind: str = "LSTM"
    nonlinearity: str = "tanh"  # of an RNN

    @property
    def batch(self) -> int:
        return len(self.lengths)

    @property
    def arguments(self) -> dict[str, Any]:
        names = ["input_size", "hidden_size", "num_layers", "bias", "bidirectional", "dtype"]
        names += {"LSTM": ["proj_size"], "GRU": [], "RNN": ["nonlinearity"]}[self.kind]
        return {name: getattr(self, name) for name in names}

    @property
    def states(self) -> dict[str, int]:
        """Name and width of each state."""
        if self.kind == "LSTM":
            return {"h": self.proj_size or self.hidden_size, "c": self.hidden_size}
        return {"h": self.hidden_size}

    def without_lengths(self) -> "Case":
        return replace(self, lengths=(self.steps,) * self.batch)

    def layers(self, backend: str, **more: Any) -> tuple[Any, Any]:
        """Ours and torch's, with the same parameters."""
        ours_of, theirs_of = KINDS[self.kind]
        torch.manual_seed(self.seed)
        theirs = theirs_of(**self.arguments, **more)
        ours = ours_of(**self.arguments, **more, backend=backend)
        ours.load_state_dict(theirs.state_dict())
        return ours, theirs

    def data(self) -> dict[str, Tensor]:
        """x [T, B, X], h0 [L*D, B, O], and of an LSTM c0 [L*D, B, H]."""
        generator = torch.Generator().manual_seed(self.seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=self.dtype)

        count = self.num_layers * (1 + self.bidirectional)
        found = {f"{name}0": normal(count, self.batch, width) for name, width in self.states.items()}
        return {"x": normal(self.steps, self.batch, self.input_size), **found}


@st.composite
def cases(draw: st.DrawFn, kind: str, dtype: torch.dtype, zero_lengths: bool = True) -> Case:
    hidden = draw(st.integers(1, 6))
    steps = draw(st.integers(1, 9))
    lengths = st.lists(st.integers(0 if zero_lengths else 1, steps), min_size=1, max_size=5)
    return Case(
        input_size=draw(st.integers(1, 5)),
        hidden_size=hidden,
        num_layers=draw(st.integers(1, 3)),
        bias=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        proj_size=draw(st.integers(0, hidden - 1)) if kind == "LSTM" else 0,
        lengths=tuple(draw(lengths)),
        steps=steps,
        with_hx=draw(st.booleans()),
        dtype=dtype,
        seed=draw(st.integers(0, 10**6)),
        kind=kind,
        nonlinearity=draw(st.sampled_from(["tanh", "relu"])) if kind == "RNN" else "tanh",
    )


def parts(hx: Any) -> tuple[Tensor, ...]:
    """The states of a pair or of a single tensor."""
    return tuple(hx) if isinstance(hx, tuple) else (hx,)


def state(named: dict[str, Tensor]) -> Any:
    """What is given as `hx`, from leaves by name: a pair, a tensor, or nothing."""
    found = tuple(value for name, value in named.items() if name in ("h0", "c0"))
    return found if len(found) == 2 else found[0] if found else None


def torch_one_by_one(theirs: Any, x: Tensor, hx: Any, lengths: tuple[int, ...]) -> tuple[Tensor, Any]:
    """torch's answer for ragged sequences without padding and packing: each sequence by itself; x is [T, B, X]."""
    columns: list[Tensor] = []
    ends: list[tuple[Tensor, ...]] = []
    width = (theirs.proj_size or theirs.hidden_size) * (1 + theirs.bidirectional)
    for b, length in enumerate(lengths):
        now = tuple(part[:, b : b + 1] for part in parts(hx))
        outputs = [x.new_zeros(x.shape[0] - length, 1, width)]
        if length:
            out, after = theirs(x[:length, b : b + 1], now if isinstance(hx, tuple) else now[0])
            now = parts(after)
            outputs.insert(0, out)
        columns.append(torch.cat(outputs))
        ends.append(now)
    finals = tuple(torch.cat(values, 1) for values in zip(*ends, strict=True))
    return torch.cat(columns, 1), finals if isinstance(hx, tuple) else finals[0]


def gradients(results: tuple[Tensor, ...], leaves: list[Tensor], seed: int) -> tuple[Tensor, ...]:
    """Gradients of a random weighting of output and states; zeros where a leaf has no influence."""
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(result.shape, generator=generator, dtype=result.dtype) for result in results]
    loss = sum((result * weight).sum() for result, weight in zip(results, weights, strict=True))
    assert isinstance(loss, Tensor)
    if not loss.requires_grad:  # all sequences empty and no state given: torch was not called at all
        return tuple(torch.zeros_like(leaf) for leaf in leaves)
    return torch.autograd.grad(loss, leaves, materialize_grads=True)


def compare(
    ours: tuple[Tensor, Any],
    theirs: tuple[Tensor, Any],
    our_leaves: dict[str, Tensor],
    their_leaves: dict[str, Tensor],
    case: Case,
) -> None:
    """Outputs, final states and the gradient of every leaf."""
    mine, other = (ours[0], *parts(ours[1])), (theirs[0], *parts(theirs[1]))
    for name, got, want in zip(("output", *case.states), mine, other, strict=True):
        assert_close(got, want, case.steps, name)
    got_all = gradients(mine, list(our_leaves.values()), case.seed)
    want_all = gradients(other, list(their_leaves.values()), case.seed)
    for name, got, want in zip(our_leaves, got_all, want_all, strict=True):
        assert_close(got, want, case.steps, f"gradient of {name}")


def leaves(data: dict[str, Tensor], layer: torch.nn.Module, with_hx: bool) -> dict[str, Tensor]:
    """Fresh leaves by name: the data (to be read from here) and the layer's parameters."""
    chosen = {name: value for name, value in data.items() if name == "x" or with_hx}
    fresh = {name: value.detach().clone().requires_grad_() for name, value in chosen.items()}
    return fresh | dict(layer.named_parameters())
