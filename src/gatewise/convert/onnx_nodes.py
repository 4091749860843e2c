"""The operators LSTM, GRU and RNN of ONNX.

Legend: T steps, B batch, X inputs, H hidden units, G gates (4 of the LSTM, 3 of the GRU, 1), D directions (1 or 2).
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gatewise.convert import onnx_graphs
from gatewise.convert.backwards import Backwards
from gatewise.convert.onnx_graphs import Node
from gatewise.convert.weights import GATES, Layer, reordered, with_weights
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn import GRU, LSTM, RNN

if TYPE_CHECKING:
    from onnx import ModelProto

OURS: dict[str, type[LSTM] | type[GRU] | type[RNN]] = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
ORDERS = {"LSTM": "iofc", "GRU": "zrh", "RNN": "h"}  # ONNX's order of the gates within W, R and B
PEEPHOLES = "iof"
ACTIVATIONS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
W, R, B, LENGTHS, H0, C0, P = 1, 2, 3, 4, 5, 6, 7  # positions of a node's inputs; the first is x
UNUSED = {
    "activation_alpha",  # numbers for activations other than those that are accepted
    "activation_beta",
    "output_sequence",  # of ONNX's first version: which outputs are given
}
KNOWN = {"activations", "clip", "direction", "hidden_size", "input_forget", "layout", "linear_before_reset"} | UNUSED


@dataclass(frozen=True, eq=False)
class Imported:
    """A recurrent node of an ONNX model: `found.layer(x, found.hx, lengths=found.lengths)` computes it.

    Attributes:
        layer: `LSTM`, `GRU` or `RNN`; one that reads against time alone stands in `Backwards`.
        hx: the states before the first step, where the model holds them: `[D, B, H]`, of an LSTM the pair of h and c,
            as the layer takes them. None where the node has none (they are 0), or where they are fed.
        lengths: the sequences' lengths `[B]`, where the model holds them; None as `hx`.
        fed: the inputs of the node, of `sequence_lens`, `initial_h` and `initial_c`, that the model's graph is given or
            computes: to be passed in a call. (Torch's export computes states that are 0, of the batch's size: those can
            be left out.)
    """

    layer: Layer | Backwards
    hx: Tensor | tuple[Tensor, Tensor] | None
    lengths: Tensor | None
    fed: tuple[str, ...]


def from_onnx(model: "str | os.PathLike[str] | bytes | ModelProto", node: str | int | None = None) -> Imported:
    """The layer that computes what a recurrent node of an ONNX model computes.

    Args:
        model: a file, its bytes, or the model itself.
        node: the name of an LSTM, GRU or RNN node of the main graph, or its number among them, from 0; may be left out
            if there is only one.

    Returns:
        The layer with copies of the node's weights, bit for bit, and what else the model holds of its inputs. Peepholes
        (P) become `LSTM(peephole=True)`, `input_forget=1` becomes `coupled=True` (the weights of the forget gate, which
        do nothing then, are left out), `linear_before_reset=0` becomes `GRU(reset_after=False)`, `layout=1` becomes
        `batch_first=True`, `direction="reverse"` becomes `Backwards`.

    Raises:
        ConfigurationError: the package onnx is missing; there is no such node, or there are several; or the node has an
            attribute that no layer here has: `clip`, other activations, different ones in the two directions.
        DataError: the model cannot be read, or the node's inputs do not fit or are not constant.

    >>> import numpy as np
    >>> from onnx import helper, numpy_helper
    >>> weights = {"W": np.zeros((1, 12, 3)), "R": np.zeros((1, 12, 4)), "h0": np.ones((1, 2, 4))}
    >>> node = helper.make_node("GRU", ["x", "W", "R", "", "", "h0"], ["y"], hidden_size=4, linear_before_reset=1)
    >>> constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    >>> found = from_onnx(helper.make_model(helper.make_graph([node], "graph", [], [], constants)))
    >>> found.layer, found.hx.shape
    (GRU(3, 4, bias=False), torch.Size([1, 2, 4]))
    """
    found = onnx_graphs.chosen(onnx_graphs.loaded(model), node)
    unknown = sorted(set(found.attributes) - KNOWN)
    if unknown:
        raise ConfigurationError(f'{found.words} has the attribute "{unknown[0]}", which ONNX does not define')
    direction = _text(found.attributes.get("direction", "forward"))
    if direction not in ("forward", "reverse", "bidirectional"):
        raise ConfigurationError(
            f'{found.words} has direction="{direction}"; expected "forward", "reverse" or "bidirectional"'
        )
    if "clip" in found.attributes:
        raise ConfigurationError(
            f"{found.words} has clip={found.attributes['clip']}; no cell here clips its activations' arguments"
        )
    directions = 2 if direction == "bidirectional" else 1
    layout = _one_of(found, "layout", (0, 1))
    options: dict[str, Any] = {"batch_first": layout == 1, "bidirectional": directions == 2}
    activation = _activation(found, directions)
    if found.operator == "LSTM":
        options |= {"peephole": bool(found.source(P)), "coupled": _one_of(found, "input_forget", (0, 1)) == 1}
    elif found.operator == "GRU":
        options["reset_after"] = _one_of(found, "linear_before_reset", (0, 1)) == 1
    else:
        options["nonlinearity"] = activation
    stored, inputs, hidden = _stored(found, directions, bool(options.get("coupled")))
    layer: Layer | Backwards = with_weights(
        OURS[found.operator],
        stored,
        input_size=inputs,
        hidden_size=hidden,
        bias=bool(found.source(B)),
        **options,
    )
    if direction == "reverse":
        layer = Backwards(layer)
    example = next(iter(stored.values()))
    hx, fed = _initial(found, directions, hidden, layout, example)
    lengths, given = _lengths(found)
    return Imported(layer, hx, lengths, given + fed)


def _stored(node: Node, directions: int, coupled: bool) -> tuple[dict[str, Tensor], int, int]:
    """Our stored tensors, X and H."""
    order = ORDERS[node.operator]
    wanted = GATES[node.operator].replace("f", "") if coupled else GATES[node.operator]
    gates = len(order)
    given = {name: node.weights(position, name) for name, position in (("W", W), ("R", R), ("B", B))}
    given["P"] = node.weights(P, "P") if node.operator == "LSTM" else None
    w, r, b, p = given.values()
    if w is None or r is None:
        raise DataError(f"{node.words} has no {'W' if w is None else 'R'}")
    inputs, hidden = (value.shape[2] if value.dim() == 3 else 0 for value in (w, r))
    told = node.attributes.get("hidden_size", hidden)
    if told != hidden:
        raise DataError(f"{node.words} says hidden_size={told}, but its R is {list(r.shape)}, of H={hidden}")
    expected = {
        "W": ([directions, gates * hidden, inputs], "[D, G*H, X]"),
        "R": ([directions, gates * hidden, hidden], "[D, G*H, H]"),
        "B": ([directions, 2 * gates * hidden], "[D, 2*G*H]"),
        "P": ([directions, 3 * hidden], "[D, 3*H]"),
    }
    for name, value in given.items():
        if value is None:
            continue
        shape, letters = expected[name]
        if list(value.shape) != shape or 0 in shape:
            raise DataError(
                f"{node.words}: expected {name} to be {letters} with D={directions}, G={gates} and H={hidden}, "
                f"got {list(value.shape)}"
            )
        if value.dtype != w.dtype:
            raise DataError(f"{node.words}: expected all weights in one precision, got {w.dtype} and {value.dtype}")
    stored: dict[str, Tensor] = {}
    for d in range(directions):
        suffix = "_l0" + ("_reverse" if d else "")
        stored |= {
            f"weight_ih{suffix}": reordered(w[d], order, wanted),
            f"weight_hh{suffix}": reordered(r[d], order, wanted),
        }
        if b is not None:
            for name, half in zip(("bias_ih", "bias_hh"), b[d].chunk(2), strict=True):
                stored[name + suffix] = reordered(half, order, wanted)
        if p is not None:
            looks = dict(zip(PEEPHOLES, p[d].chunk(3), strict=True))
            stored |= {f"p_{gate}{suffix}": looks[gate] for gate in wanted if gate in looks}
    return stored, inputs, hidden


def _initial(
    node: Node, directions: int, hidden: int, layout: int, example: Tensor
) -> tuple[Tensor | tuple[Tensor, Tensor] | None, tuple[str, ...]]:
    """Constant states before the first step, and the names of those that are fed."""
    positions = {"initial_h": H0, "initial_c": C0} if node.operator == "LSTM" else {"initial_h": H0}
    named = {name: position for name, position in positions.items() if node.source(position)}
    fed = tuple(name for name, position in named.items() if node.constant(position) is None)
    if not named or len(fed) == len(named):
        return None, fed
    if fed:
        other = next(name for name in named if name not in fed)
        raise DataError(
            f"{node.words}: {fed[0]} is computed by the graph, but {other} is a constant; expected both of one kind"
        )
    states: dict[str, Tensor] = {}
    for name, position in named.items():
        value = node.weights(position, name)
        assert value is not None
        if layout == 1 and value.dim() == 3:
            value = value.transpose(0, 1).contiguous()
        if value.dim() != 3 or [value.shape[0], value.shape[2]] != [directions, hidden]:
            letters = "[B, D, H]" if layout == 1 else "[D, B, H]"
            shape = list(value.transpose(0, 1).shape if layout == 1 and value.dim() == 3 else value.shape)
            raise DataError(
                f"{node.words}: expected {name} to be {letters} with D={directions} and H={hidden}, got {shape}"
            )
        if value.dtype != example.dtype:
            raise DataError(f"{node.words}: {name} is {value.dtype}, but its weights are {example.dtype}")
        states[name] = value
    if len({value.shape for value in states.values()}) > 1:
        raise DataError(f"{node.words}: initial_h and initial_c are of batches of different sizes")
    if node.operator != "LSTM":
        return states["initial_h"], ()
    some = next(iter(states.values()))
    h, c = (states.get(name, torch.zeros_like(some)) for name in positions)
    return (h, c), ()


def _lengths(node: Node) -> tuple[Tensor | None, tuple[str, ...]]:
    """Constant lengths, and the name of the input if they are fed."""
    if not node.source(LENGTHS):
        return None, ()
    value = node.constant(LENGTHS)
    if value is None:
        return None, ("sequence_lens",)
    if value.ndim != 1 or value.dtype.kind != "i":
        raise DataError(
            f"{node.words}: expected sequence_lens to be whole numbers [B], got {value.dtype} of shape "
            f"{list(value.shape)}"
        )
    return torch.tensor(value.tolist(), dtype=torch.int64), ()


def _activation(node: Node, directions: int) -> str:
    """The activation in which RNN leaves a choice; all others are checked to be ONNX's default."""
    standard = ACTIVATIONS[node.operator]
    given = [_text(name) for name in node.attributes.get("activations", [])]
    lower = tuple(name.lower() for name in given) or standard * directions
    if lower == standard * directions or (node.operator == "RNN" and lower == ("relu",) * directions):
        return lower[-1]
    expected = ", ".join(name.capitalize() for name in standard * directions)
    also = ", or Relu in every direction" if node.operator == "RNN" else ""
    raise ConfigurationError(
        f"{node.words} has activations {', '.join(given)}, which no layer here has; expected {expected}{also}"
    )


def _one_of(node: Node, name: str, values: tuple[int, ...]) -> int:
    """An attribute that is a number, the first by default."""
    value = node.attributes.get(name, values[0])
    if value not in values:
        raise ConfigurationError(f"{node.words} has {name}={value!r}; expected {' or '.join(map(str, values))}")
    return int(value)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
