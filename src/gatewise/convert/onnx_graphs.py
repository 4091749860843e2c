"""Recurrent nodes of an ONNX model and the constants that feed them."""

import importlib
import os
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gatewise.convert.weights import floats
from gatewise.errors import ConfigurationError, DataError, nearest

OPERATORS = ("LSTM", "GRU", "RNN")


def package() -> Any:
    """The package onnx, which reads the files.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ConfigurationError("ONNX models are read by the package onnx: pip install 'gatewise[onnx]'") from error


@dataclass(frozen=True, eq=False)
class Node:
    """A recurrent node.

    Attributes:
        proto: as the model has it.
        operator: "LSTM", "GRU" or "RNN".
        words: what stands in messages for it.
        attributes: their values by name.
        graph: where its inputs come from.
    """

    proto: Any
    operator: str
    words: str
    attributes: dict[str, Any]
    graph: Any

    def source(self, position: int) -> str:
        """The name of what feeds an input; empty for one that is left out."""
        inputs = self.proto.input
        return str(inputs[position]) if position < len(inputs) else ""

    def constant(self, position: int) -> Any | None:
        """The value of an input as an array; None if the graph computes it or is given it."""
        onnx, name = package(), self.source(position)
        for _ in range(len(self.graph.node) + 1):
            for tensor in self.graph.initializer:
                if tensor.name == name:
                    return onnx.numpy_helper.to_array(tensor)
            maker = self.maker(name)
            if maker is None:
                return None
            if maker.op_type == "Constant":
                values = {attribute.name: attribute for attribute in maker.attribute}
                return onnx.numpy_helper.to_array(values["value"].t) if "value" in values else None
            if maker.op_type != "Identity":
                return None
            name = maker.input[0]
        return None

    def maker(self, name: str) -> Any | None:
        """The node that computes a value; None for an input of the graph."""
        return next((node for node in self.graph.node if name in node.output), None)

    def weights(self, position: int, name: str) -> Tensor | None:
        """The floating-point numbers of a constant input; None for one that is left out.

        Raises:
            DataError: the graph computes it, or its numbers are of another kind.
        """
        source = self.source(position)
        if not source:
            return None
        value = self.constant(position)
        if value is None:
            maker = self.maker(source)
            origin = "an input of the graph" if maker is None else f"computed by a node {maker.op_type}"
            raise DataError(
                f'{self.words}: expected {name} ("{source}") to be a constant, but it is {origin}; fold constants '
                "before, for instance by exporting the model with constant folding"
            )
        return floats(value, f"{name} of {self.words}")


def loaded(model: Any) -> Any:
    """A `ModelProto`, from a path, from bytes, or as it is.

    Raises:
        DataError: there is no such file, or it is no ONNX model.
        ConfigurationError: it is none of these.
    """
    onnx = package()
    if isinstance(model, onnx.ModelProto):
        return model
    broken = (importlib.import_module("google.protobuf.message").DecodeError, onnx.checker.ValidationError)
    if isinstance(model, bytes):
        try:
            return onnx.load_model_from_string(model)
        except broken as error:
            raise DataError(f"expected the bytes of an ONNX model, got {len(model)} others ({error})") from error
    if not isinstance(model, (str, os.PathLike)):
        raise ConfigurationError(f"from_onnx takes a path, bytes, or an onnx.ModelProto, got {type(model).__name__}")
    try:
        return onnx.load_model(model)
    except broken as error:
        raise DataError(f"{os.fspath(model)} cannot be read as an ONNX model: {error}") from error
    except OSError as error:
        raise DataError(f"{os.fspath(model)} cannot be read: {error.strerror or error}") from error


def chosen(model: Any, node: str | int | None) -> Node:
    """The recurrent node of a name, or of a number among the recurrent nodes; by default the only one.

    Raises:
        DataError: there is none.
        ConfigurationError: there is no such node, or there are several and none was chosen.
    """
    onnx, graph = package(), model.graph
    found = [proto for proto in graph.node if proto.op_type in OPERATORS and proto.domain in ("", "ai.onnx")]
    if not found:
        raise DataError("the main graph of the model has no LSTM, GRU or RNN node")
    listing = ", ".join(f"{k}: {_words(proto)}" for k, proto in enumerate(found))
    if node is None:
        if len(found) > 1:
            raise ConfigurationError(f"the model has several recurrent nodes; choose one by node=: {listing}")
        proto = found[0]
    elif isinstance(node, str):
        named = [proto for proto in found if proto.name == node]
        if not named:
            names = [proto.name for proto in found if proto.name]
            raise ConfigurationError(f'the model has no recurrent node "{node}"; {nearest(node, names)}')
        if len(named) > 1:
            raise ConfigurationError(f'several recurrent nodes are named "{node}"; choose by number: {listing}')
        proto = named[0]
    elif isinstance(node, bool) or not isinstance(node, int) or not 0 <= node < len(found):
        raise ConfigurationError(f"node={node!r} must be a name, or a number from 0 to {len(found) - 1}: {listing}")
    else:
        proto = found[node]
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in proto.attribute}
    return Node(proto, str(proto.op_type), f"the node {_words(proto)}", attributes, graph)


def _words(proto: Any) -> str:
    """A node's operator and name, or its output where it has no name."""
    if proto.name:
        return f'{proto.op_type} "{proto.name}"'
    output = next((name for name in proto.output if name), "")
    return f'{proto.op_type} without name that gives "{output}"'
