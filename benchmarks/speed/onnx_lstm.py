"""The LSTM as one node of ONNX, run by onnxruntime: the rival in inference.

Legend: T steps, B batch, H hidden units.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

OPSET, IR = 14, 8  # older than those of today, so that any onnxruntime runs them
STATES = ("h", "c")


def session(
    weights: Mapping[str, Tensor], shape: tuple[int, int, int], threads: int, *, states: bool
) -> onnxruntime.InferenceSession:
    """A session of one LSTM node.

    Its inputs are x `[T, B, H]` and, with `states`, h and c `[1, B, H]`; its outputs y `[T, 1, B, H]`, y_h and y_c.

    Args:
        weights: of one layer, by torch's names.
        shape: T, B, H.
        threads: as many as torch has.
        states: whether the states before the first step are inputs; else they are 0.
    """
    hidden = shape[2]
    constants = {
        "W": _reordered(weights["weight_ih_l0"])[None],
        "R": _reordered(weights["weight_hh_l0"])[None],
        "B": np.concatenate([_reordered(weights[name]) for name in ("bias_ih_l0", "bias_hh_l0")])[None],
    }
    given = ["x", *constants, "", *STATES] if states else ["x", *constants]
    node = helper.make_node("LSTM", given, ["y", "y_h", "y_c"], hidden_size=hidden)
    inputs: dict[str, tuple[int, ...]] = {"x": shape}
    if states:
        inputs |= dict.fromkeys(STATES, (1, shape[1], hidden))
    graph = helper.make_graph(
        [node],
        "lstm",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _reordered(rows: Tensor) -> np.ndarray[Any, Any]:
    """Rows of gates from torch's order i, f, z, o to that of ONNX: i, o, f, z."""
    i, f, z, o = rows.detach().numpy().reshape(4, rows.shape[0] // 4, *rows.shape[1:])
    return np.concatenate([i, o, f, z])
