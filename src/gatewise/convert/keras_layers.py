"""Recurrent layers of Keras, from a layer or from its arrays; Keras itself is not needed.

Legend: T steps, B batch, X inputs, H hidden units, G gates (4 of the LSTM, 3 of the GRU, 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from gatewise.convert.weights import GATES, Layer, floats, reordered, with_weights
from gatewise.errors import ConfigurationError, DataError, nearest
from gatewise.nn import GRU, LSTM, RNN

# Keras's order of the gates within its arrays.
ORDERS = {"LSTM": "ifco", "GRU": "zrh", "SimpleRNN": "h"}
OURS: dict[str, type[LSTM] | type[GRU] | type[RNN]] = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": RNN}
DIRECTIONS = ("", "_reverse")


@dataclass(frozen=True)
class Form:
    """What the arrays of a Keras layer do not tell: its class, and what it computes where there is a choice."""

    kind: str
    reset_after: bool | None = None
    activation: str = "tanh"


def from_keras(
    layer_or_weights: Any,
    *,
    kind: Literal["LSTM", "GRU", "SimpleRNN"] | None = None,
    reset_after: bool | None = None,
    activation: Literal["tanh", "relu"] | None = None,
) -> Layer:
    """The layer that computes what a recurrent layer of Keras computes.

    What remains Keras's own: at masked steps Keras repeats the output before (unless `zero_output_for_mask`), here it
    is 0; a mask is given as `lengths`, so padding stands at the end; initialisers, regularisers and constraints are not
    taken over; and there is always both given out, the whole output and the last states (`return_sequences`,
    `return_state`).

    Args:
        layer_or_weights: a built `LSTM`, `GRU`, `SimpleRNN`, or a `Bidirectional` of one of them with
            `merge_mode="concat"`; or the list of its arrays, as `layer.get_weights()` has it: kernel `[X, G*H]`,
            recurrent kernel `[H, G*H]` and bias `[G*H]` (`[2, G*H]` of a GRU with `reset_after`) of the forward layer,
            then those of the backward one, if there is one.
        kind: with arrays, the Keras class they belong to.
        reset_after: with arrays, whether a GRU's reset gate acts after the recurrent matrix; needed only if there are
            no biases, whose shape tells it.
        activation: with arrays of a SimpleRNN, "tanh" (the default) or "relu".

    Returns:
        `LSTM`, `GRU` or `RNN` with `batch_first=True`, as Keras has it, and copies of the weights, bit for bit.

    Raises:
        ConfigurationError: the layer is none of these, or has an option that a layer here has not.
        DataError: the arrays do not fit one another, or the layer has none yet.

    >>> import numpy as np
    >>> from_keras([np.zeros((3, 20)), np.zeros((5, 20)), np.zeros(20)], kind="LSTM")
    LSTM(3, 5, batch_first=True)
    """
    if isinstance(layer_or_weights, (list, tuple)):
        if kind not in ORDERS:
            came = f'kind="{kind}" is not known; {nearest(str(kind), ORDERS)}' if kind else "kind= is missing"
            raise ConfigurationError(f"a list of weights needs the Keras class they belong to: {came}")
        return _assembled(_form_of_weights(layer_or_weights, kind, reset_after, activation), layer_or_weights)
    form = _form_of_layer(layer_or_weights)
    for name, value in {"kind": kind, "reset_after": reset_after, "activation": activation}.items():
        if value is not None:
            raise ConfigurationError(
                f"{name}={value!r} goes with a list of weights; a Keras layer knows it itself: leave it out"
            )
    if not layer_or_weights.built:
        raise DataError(
            f"the Keras layer {layer_or_weights.name} has no weights yet: call it once, or its build(shape)"
        )
    return _assembled(form, layer_or_weights.get_weights())


def _form_of_layer(layer: Any) -> Form:
    """Check the options of a Keras layer."""
    name = type(layer).__name__
    if name != "Bidirectional":
        return _form_of_direction(layer, go_backwards=False)
    if layer.merge_mode != "concat":
        raise ConfigurationError(
            f"Bidirectional {layer.name} has merge_mode={layer.merge_mode!r}; a layer here puts its directions side by "
            'side, which is merge_mode="concat"'
        )
    forward = _form_of_direction(layer.forward_layer, go_backwards=False)
    backward = _form_of_direction(layer.backward_layer, go_backwards=True)
    if forward != backward:
        raise ConfigurationError(
            f"the directions of Bidirectional {layer.name} differ: {forward} forwards, {backward} backwards; the "
            "directions of a layer here run the same cell"
        )
    return forward


def _form_of_direction(layer: Any, go_backwards: bool) -> Form:
    kind = type(layer).__name__
    if kind not in ORDERS or not hasattr(layer, "get_config"):
        raise ConfigurationError(
            "from_keras takes LSTM, GRU or SimpleRNN of Keras, a Bidirectional of one of them, or a list of weights, "
            f"got {type(layer).__module__}.{kind}"
        )
    config = layer.get_config()
    activation = config["activation"]
    known = ("tanh", "relu") if kind == "SimpleRNN" else ("tanh",)
    refused: dict[str, tuple[Any, str]] = {}
    if activation not in known:
        refused["activation"] = (activation, f"expected {' or '.join(map(repr, known))}")
    if config.get("recurrent_activation", "sigmoid") != "sigmoid":
        refused["recurrent_activation"] = (config["recurrent_activation"], "expected 'sigmoid'")
    if config.get("go_backwards", False) != go_backwards:
        reason = "reverse the input and use a layer that does not" if not go_backwards else "it is the backward layer"
        refused["go_backwards"] = (not go_backwards, reason)
    if config.get("stateful"):
        refused["stateful"] = (True, "a layer here keeps no state: it is passed in and returned")
    if config.get("time_major"):
        refused["time_major"] = (True, "expected the batch first")
    for name in ("dropout", "recurrent_dropout"):
        if config.get(name, 0):
            reason = "its masks differ from gate to gate, those here do not; for the weights alone give get_weights()"
            refused[name] = (config[name], reason)
    for name, (value, reason) in refused.items():
        raise ConfigurationError(f"Keras {kind} {layer.name} has {name}={value!r}, which cannot be converted: {reason}")
    return Form(kind, bool(config["reset_after"]) if kind == "GRU" else None, activation)


def _form_of_weights(weights: Sequence[Any], kind: str, reset_after: bool | None, activation: str | None) -> Form:
    """What the arrays and the arguments say together."""
    if activation is not None and (kind != "SimpleRNN" or activation not in ("tanh", "relu")):
        expected = "'tanh' or 'relu'" if kind == "SimpleRNN" else "none: only that of a SimpleRNN can be chosen"
        raise ConfigurationError(f"activation={activation!r} does not fit kind={kind!r}; expected {expected}")
    if kind != "GRU":
        if reset_after is not None:
            raise ConfigurationError(f"reset_after={reset_after!r} says something of a GRU, but kind is {kind!r}")
        return Form(kind, None, activation or "tanh")
    if len(weights) % 3 == 0 and len(weights) > 0:
        found = floats(weights[2], "the bias").dim() == 2
        if reset_after is not None and reset_after != found:
            raise ConfigurationError(
                f"reset_after={reset_after!r}, but the bias is that of a GRU with reset_after={found}: "
                "[2, 3*H] with it, [3*H] without"
            )
        return Form(kind, found)
    if reset_after is None:
        raise ConfigurationError("the weights of a GRU without biases do not tell reset_after: give reset_after=")
    return Form(kind, bool(reset_after))


def _assembled(form: Form, weights: Sequence[Any]) -> Layer:
    """The layer, from the arrays of one or two directions."""
    if len(weights) not in (2, 3, 4, 6):
        raise DataError(
            f"expected kernel, recurrent kernel and (or not) bias of one {form.kind}, or of two, one after the other; "
            f"got {len(weights)} arrays"
        )
    directions = 1 if len(weights) <= 3 else 2
    each = len(weights) // directions
    stored: dict[str, Tensor] = {}
    for direction in range(directions):
        names = ("kernel", "recurrent kernel", "bias")
        arrays = [
            floats(array, f"the {name} of {form.kind}")
            for name, array in zip(names, weights[direction * each : (direction + 1) * each], strict=False)
        ]
        here = _direction(form, arrays)
        if direction and {name: value.shape for name, value in here.items()} != {
            name: value.shape for name, value in stored.items()
        }:
            raise DataError(f"the two directions of {form.kind} differ in size; a layer here has equal ones")
        stored |= here if not direction else {f"{name}{DIRECTIONS[1]}": value for name, value in here.items()}
    dtypes = {str(value.dtype) for value in stored.values()}
    if len(dtypes) > 1:
        raise DataError(f"expected all weights of {form.kind} in one precision, got {' and '.join(sorted(dtypes))}")
    options: dict[str, Any] = {"LSTM": {}, "GRU": {"reset_after": form.reset_after}}.get(
        form.kind, {"nonlinearity": form.activation}
    )
    return with_weights(
        OURS[form.kind],
        stored,
        input_size=stored["weight_ih_l0"].shape[1],
        hidden_size=stored["weight_hh_l0"].shape[1],
        bias=each == 3,
        batch_first=True,
        bidirectional=directions == 2,
        **options,
    )


def _direction(form: Form, arrays: Sequence[Tensor]) -> dict[str, Tensor]:
    """Our stored tensors of one direction."""
    kernel, recurrent, *biases = arrays
    order, wanted = ORDERS[form.kind], GATES[OURS[form.kind].__name__]
    gates = len(order)
    hidden = recurrent.shape[0] if recurrent.dim() == 2 else 0
    expected = [("recurrent kernel", recurrent, [hidden, gates * hidden], "[H, G*H]")]
    expected.append(("kernel", kernel, [*kernel.shape[:1], gates * hidden], "[X, G*H]"))
    for bias in biases:
        rows = [2] if form.reset_after else []
        expected.append(("bias", bias, [*rows, gates * hidden], "[2, G*H]" if rows else "[G*H]"))
    for name, array, shape, letters in expected:
        if list(array.shape) != shape or 0 in shape:
            raise DataError(
                f"expected the {name} of {form.kind} to be {letters} with G={gates} and H={hidden}, "
                f"got {list(array.shape)}"
            )
    stored = {
        "weight_ih_l0": reordered(kernel.T, order, wanted),
        "weight_hh_l0": reordered(recurrent.T, order, wanted),
    }
    for bias in biases:
        first, second = bias if form.reset_after else (bias, bias.new_zeros(bias.shape))
        stored |= {"bias_ih_l0": reordered(first, order, wanted), "bias_hh_l0": reordered(second, order, wanted)}
    return stored
