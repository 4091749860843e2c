"""How far two computations of the same thing may lie apart: a function of dtype and the number of steps."""

import torch
from torch import Tensor

# Measured against the largest value compared: rounding errors add up over the summands of a product.
BASE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 3e-3}


def tolerance(dtype: torch.dtype, steps: int) -> float:
    """The largest error allowed, relative to the largest value; grows with the length beyond 32 steps."""
    return BASE[dtype] * max(1.0, steps / 32)


def assert_close(got: Tensor, want: Tensor, steps: int, what: str = "value") -> None:
    """Fail unless shapes and dtypes are equal and all values close; NaN is close to nothing."""
    assert got.shape == want.shape, f"{what}: shape {tuple(got.shape)}, expected {tuple(want.shape)}"
    assert got.dtype == want.dtype, f"{what}: {got.dtype}, expected {want.dtype}"
    got, want = got.detach(), want.detach()
    if want.numel() == 0:
        return
    scale = max(1.0, float(want.abs().max()))
    error = float((got.double() - want.double()).abs().max()) / scale
    allowed = tolerance(want.dtype, steps)
    assert error <= allowed, f"{what}: error {error:.2e} of the largest value, allowed {allowed:.2e}"
