"""Layers from and to other libraries: PyTorch, Keras, ONNX.

Parameters are copied, never shared, and arrive bit for bit; what a layer cannot express is refused with the reason.

>>> import torch
>>> from gatewise.convert import from_torch, to_torch
>>> theirs = torch.nn.GRU(3, 5, num_layers=2)
>>> ours = from_torch(theirs)
>>> ours
GRU(3, 5, num_layers=2)
>>> torch.equal(to_torch(ours).weight_hh_l1, theirs.weight_hh_l1)
True
"""

from gatewise.convert.backwards import Backwards
from gatewise.convert.keras_layers import from_keras
from gatewise.convert.onnx_nodes import Imported, from_onnx
from gatewise.convert.torch_layers import from_torch, to_torch

__all__ = ["Backwards", "Imported", "from_keras", "from_onnx", "from_torch", "to_torch"]
