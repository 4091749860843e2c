"""ONNX models of one recurrent node, from arrays or from a layer of ours."""

from collections.abc import Mapping
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor

from gatewise.convert import Backwards
from gatewise.nn import GRU, LSTM, RNN

INPUTS = ("x", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
OUTPUTS = {"LSTM": ("y", "y_h", "y_c"), "GRU": ("y", "y_h"), "RNN": ("y", "y_h")}
TYPES = {
    torch.float16: TensorProto.FLOAT16,
    torch.bfloat16: TensorProto.BFLOAT16,
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.int32: TensorProto.INT32,
}


def constant(name: str, value: Tensor) -> TensorProto:
    data = value.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return helper.make_tensor(name, TYPES[value.dtype], list(value.shape), data, raw=True)


def node(operator: str, present: set[str], name: str = "", **attributes: Any) -> onnx.NodeProto:
    """A node whose inputs have the operator's names; those that are not present are left out."""
    inputs = [key if key in present else "" for key in INPUTS]
    while not inputs[-1]:
        inputs.pop()
    return helper.make_node(operator, inputs, OUTPUTS[operator], name=name, **attributes)


def model(nodes: list[onnx.NodeProto], constants: Mapping[str, Tensor], fed: Mapping[str, Tensor]) -> onnx.ModelProto:
    """A model of nodes, of constants, and of inputs with the shapes of these."""
    inputs = [helper.make_tensor_value_info(name, TYPES[value.dtype], value.shape) for name, value in fed.items()]
    dtype = TYPES[next(value.dtype for value in [*constants.values(), *fed.values()] if value.is_floating_point())]
    outputs = [helper.make_tensor_value_info(name, dtype, None) for each in nodes for name in each.output]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, [constant(*pair) for pair in constants.items()])
    # Versions that are older than those of today, so that any onnxruntime runs them.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def exported(layer: LSTM | GRU | RNN | Backwards, hx: Any = None, **attributes: Any) -> onnx.ModelProto:
    """The ONNX node of a layer of ours, with its states before the first step as constants."""
    inner = layer.layer if isinstance(layer, Backwards) else layer
    directions = 2 if inner.bidirectional else 1
    direction = "reverse" if isinstance(layer, Backwards) else ("forward", "bidirectional")[directions - 1]
    operator = type(inner).__name__
    options: dict[str, Any] = {"direction": direction, "hidden_size": inner.hidden_size, **attributes}
    order, ours = {"LSTM": ("iofc", "ifco"), "GRU": ("zrh", "rzh"), "RNN": ("h", "h")}[operator]
    peephole = False
    if isinstance(inner, LSTM):
        peephole = inner.cell.peephole
        if inner.cell.coupled:
            options["input_forget"] = 1
            ours = "ico"
    elif isinstance(inner, GRU):
        options["linear_before_reset"] = int(inner.reset_after)
    elif inner.nonlinearity == "relu":
        options["activations"] = ["Relu"] * directions

    def rows(stored: Tensor) -> Tensor:
        gates = dict(zip(ours, stored.chunk(len(ours)), strict=True))
        return torch.cat([gates.get(gate, torch.zeros_like(stored[: inner.hidden_size])) for gate in order])

    found: dict[str, list[Tensor]] = {}
    for suffix in ("_l0", "_l0_reverse")[:directions]:
        weights = {name.removesuffix(suffix): value for name, value in inner.state_dict().items()}
        found.setdefault("W", []).append(rows(weights["weight_ih"]))
        found.setdefault("R", []).append(rows(weights["weight_hh"]))
        if inner.bias:
            found.setdefault("B", []).append(torch.cat([rows(weights["bias_ih"]), rows(weights["bias_hh"])]))
        if peephole:
            looks = [
                weights.get(f"p_{gate}", torch.zeros(inner.hidden_size).to(inner.all_weights[0][0])) for gate in "iof"
            ]
            found.setdefault("P", []).append(torch.cat(looks))
    constants = {name: torch.stack(values) for name, values in found.items()}
    if hx is not None:
        states = hx if isinstance(hx, tuple) else (hx,)
        constants |= dict(zip(("initial_h", "initial_c"), states, strict=False))
    x = torch.zeros(3, 2, inner.input_size).to(constants["W"])
    return model([node(operator, {"x", *constants}, **options)], constants, {"x": x})
