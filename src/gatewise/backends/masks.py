"""Dropout masks in the compiled core (`cpp/masks.cpp`): the same bits as `gatewise.nn.masks`, where they are defined.

Legend: T steps, N numbered vectors, w the width of a vector.
"""

import torch
from torch import Tensor, nn

from gatewise.backends import cpu

# An element is written as its bits, so the core needs to know sizes only.
BITS = {torch.float16: torch.int16, torch.bfloat16: torch.int16, torch.float32: torch.int32, torch.float64: torch.int64}
# Each thread gets at least this many elements; with fewer it costs more than it brings: measured on 2 cores.
WORTH_A_THREAD = 32_768


def supports(like: Tensor, *integers: Tensor) -> bool:
    """Whether the core can draw a mask like a tensor from these integers.

    It cannot where someone watches the operations of torch, which draw the same mask: a graph that is traced, a
    transform of `torch.func`, a mode or a subclass of tensors.
    """
    if torch.compiler.is_compiling() or torch._C._is_tracing() or torch._C._are_functorch_transforms_active():
        return False
    if cpu.core is None or torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack():
        return False
    plain = all(type(tensor) in (Tensor, nn.Parameter) and tensor.is_cpu for tensor in (like, *integers))
    return plain and like.dtype in BITS and all(tensor.dtype == torch.int64 for tensor in integers)


def draw(seed: Tensor, stream: int, times: Tensor, numbers: Tensor, width: int, bound: int, kept: Tensor) -> Tensor:
    """A mask `[T, N, w]`: `kept` where the 16 bits drawn are below `bound`, otherwise 0.

    Args:
        seed: an integer tensor of no dimension; its 64 bits are the key.
        stream: the counter's part that says what the mask is for.
        times: the part that each step has `[T]`.
        numbers: the part that each vector has `[N]`.
        width: w; units are the last part of the counter.
        bound: from 0 to 2^16.
        kept: a tensor of no dimension, of the mask's dtype.
    """
    assert cpu.core is not None
    mask = torch.empty(times.shape[0], numbers.shape[0], width, dtype=kept.dtype, device="cpu")
    bits = BITS[kept.dtype]
    threads = min(torch.get_num_threads(), max(1, mask.numel() // WORTH_A_THREAD))
    cpu.core.draw_mask(
        mask.view(bits).numpy(),
        times.numpy(),
        numbers.numpy(),
        int(seed),
        stream,
        bound,
        int(kept.view(bits)),
        threads,
    )
    return mask
