"""The multidimensional LSTM as a layer: equal to a plain loop over positions, on both backends."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise import cells
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn import MDLSTM
from tests.tolerance import assert_close

CELLS = {
    "forget": cells.MDLSTM("forget"),
    "forget with peepholes": cells.MDLSTM("forget", peephole=True),
    "stable": cells.MDLSTM("stable"),
    "stable with peepholes": cells.MDLSTM("stable", peephole=True),
    "leaky with peepholes": cells.MDLSTM("leaky", peephole=True),
}
SIZES = [(5, 7), (3, 4), (1, 7), (0, 0), (5, 1)]


def by_hand(cell: cells.MDLSTM, p: dict[str, Tensor], x: Tensor, up: Any, left: Any) -> tuple[Tensor, Tensor]:
    """h and c of one position, as the papers write them."""
    (h_up, c_up), (h_left, c_left) = up, left

    def net(name: str) -> Tensor:
        return p[f"W_{name}"] @ x + p[f"b_{name}"] + p[f"U_{name}"] @ h_up + p[f"V_{name}"] @ h_left

    def both(name: str) -> Tensor:
        seen = p[f"p_{name}_up"] * c_up + p[f"p_{name}_left"] * c_left if cell.peephole else 0
        return torch.sigmoid(net(name) + seen)

    z = torch.tanh(net("z"))
    if cell.memory_cell == "forget":
        f_up = torch.sigmoid(net("f_up") + (p["p_f_up"] * c_up if cell.peephole else 0))
        f_left = torch.sigmoid(net("f_left") + (p["p_f_left"] * c_left if cell.peephole else 0))
        c = f_up * c_up + f_left * c_left + both("i") * z
    else:
        f, mix = both("f"), both("l")
        i = both("i") if cell.memory_cell == "stable" else 1 - f
        c = f * (mix * c_up + (1 - mix) * c_left) + i * z
    o = torch.sigmoid(net("o") + (p["p_o"] * c if cell.peephole else 0))
    return o * torch.tanh(c), c


def naive(layer: MDLSTM, images: Tensor, sizes: list[tuple[int, int]]) -> Tensor:
    """Position after position, with nothing but indices."""
    assert isinstance(layer.cell, cells.MDLSTM)
    batch, rows, columns, _ = images.shape
    parts = []
    for direction in layer.directions:
        p = layer.equation_parameters(direction)
        zero = images.new_zeros(layer.hidden_size)
        values = [[[zero] * columns for _ in range(rows)] for _ in range(batch)]
        for b, (height, width) in enumerate(sizes):
            states: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
            down, forth = direction.split("-")[0] == "down", direction.split("-")[1] == "right"
            for r in range(height) if down else range(height - 1, -1, -1):
                for c in range(width) if forth else range(width - 1, -1, -1):
                    up = states.get((r - 1 if down else r + 1, c), (zero, zero))
                    left = states.get((r, c - 1 if forth else c + 1), (zero, zero))
                    states[r, c] = by_hand(layer.cell, p, images[b, r, c], up, left)
                    values[b][r][c] = states[r, c][0]
        parts.append(torch.stack([torch.stack([torch.stack(row) for row in image]) for image in values]))
    return torch.cat(parts, -1) if layer.merge == "concat" else torch.stack(parts).sum(0)


def outcome(layer: MDLSTM, run: Callable[[Tensor], Tensor], images: Tensor, seed: int = 1) -> list[Tensor]:
    """Outputs, and all gradients of a weighted sum of them."""
    leaf = images.clone().requires_grad_()
    found = run(leaf)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(found)
    gradients = torch.autograd.grad((found * weight).sum(), [leaf, layer.weights, layer.vectors])
    return [found.detach(), *gradients]


def layer_of(cell: str = "stable", hidden: int = 3, features: int = 2, **more: Any) -> MDLSTM:
    torch.manual_seed(3)
    layer = MDLSTM(features, hidden, cell=CELLS[cell], **{"dtype": torch.float64, **more})
    with torch.no_grad():
        for direction in layer.directions if cell.startswith("forget") else ():
            # Gates of 1/2 and peepholes are enough for gradients that grow without end, and with them rounding errors.
            for name in ("b_f_up", "b_f_left"):
                layer.equation_parameters(direction)[name].sub_(1.0)
    return layer


def images_of(layer: MDLSTM, batch: int = 5, rows: int = 5, columns: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(batch, rows, columns, layer.input_size, generator=generator, dtype=torch.float64).to(
        layer.weights
    )


NAMES = ("output", "gradient of the images", "gradient of the weights", "gradient of the vectors")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_equals_a_loop_over_positions(cell: str, backend: str) -> None:
    layer = layer_of(cell, backend=backend)
    images = images_of(layer)
    want = outcome(layer, lambda x: naive(layer, x, SIZES), images)
    for name, got, expected in zip(NAMES, outcome(layer, lambda x: layer(x, SIZES), images), want, strict=True):
        assert_close(got, expected, 12, name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("hidden", "features", "batch", "rows", "columns"),
    [(16, 1, 1, 1, 1), (5, 3, 2, 9, 1), (17, 2, 1, 1, 20), (16, 1, 3, 13, 21), (40, 18, 2, 6, 5), (3, 33, 9, 3, 4)],
)
@pytest.mark.parametrize("cell", ["forget with peepholes", "stable", "leaky with peepholes"])
def test_the_core_equals_the_reference(
    cell: str, dtype: torch.dtype, hidden: int, features: int, batch: int, rows: int, columns: int
) -> None:
    layer = layer_of(cell, hidden, features, dtype=dtype, backend="cpu")
    other = layer_of(cell, hidden, features, dtype=dtype, backend="reference")
    images = images_of(layer, batch, rows, columns)
    want = outcome(other, other, images)
    found = outcome(layer, layer, images)
    for name, got, expected in zip(NAMES, found, want, strict=True):
        assert_close(got, expected, 4 * rows * columns, name)
    with torch.no_grad():
        assert torch.equal(layer(images), found[0])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_gradients_are_those_of_differences(backend: str) -> None:
    layer = layer_of("forget with peepholes", 2, 1, backend=backend, directions=("up-right", "down-left"))
    images = images_of(layer, 2, 3, 2).requires_grad_()

    def call(x: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
        changed = {"weights": weights, "vectors": vectors}
        found = torch.func.functional_call(layer, changed, (x, [(3, 2), (2, 1)]))
        assert isinstance(found, Tensor)
        return found

    arguments = (images, layer.weights, layer.vectors)
    assert torch.autograd.gradcheck(call, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(call, arguments, fast_mode=True)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_what_lies_beyond_an_image_reaches_nothing(backend: str) -> None:
    layer = layer_of("stable with peepholes", backend=backend)
    clean = images_of(layer)
    dirty = torch.full_like(clean, float("nan"))
    for b, (height, width) in enumerate(SIZES):
        dirty[b, :height, :width] = clean[b, :height, :width]
    want = outcome(layer, lambda x: layer(x, SIZES), clean)
    for got, expected in zip(outcome(layer, lambda x: layer(x, SIZES), dirty), want, strict=True):
        assert torch.equal(got, expected)
    for b, (height, width) in enumerate(SIZES):
        assert not want[0][b, height:].any()
        assert not want[0][b, :, width:].any()
        if height:
            alone = layer(clean[b : b + 1, :height, :width])
            assert_close(alone[0], want[0][b, :height, :width], 12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_do_not_depend_on_the_number_of_threads(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewise.backends.grid_cpu.WORTH_A_THREAD", 1)
    layer = layer_of("stable", 6, 2, dtype=dtype, backend="cpu")
    images = images_of(layer, 12, 9, 14)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            found.append(outcome(layer, lambda x: layer(x, [(9, 14), (4, 3)] * 6), images))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        for got, expected in zip(other, found[0], strict=True):
            assert torch.equal(got, expected)


def test_an_image_does_not_depend_on_its_batch() -> None:
    layer = layer_of("stable", 16, 1, dtype=torch.float32, backend="cpu")
    images = images_of(layer, 7, 8, 30)
    assert torch.equal(layer(images)[4], layer(images[4:5])[0])


def test_directions_and_their_sum() -> None:
    layer = layer_of("stable", directions=("up-left", "down-right"))
    images = images_of(layer)
    turned = MDLSTM(2, 3, cell=layer.cell, directions=("down-right",), dtype=torch.float64)
    with torch.no_grad():
        turned.weights.copy_(layer.weights[:1])
        turned.vectors.copy_(layer.vectors[:1])
    assert_close(layer(images)[..., :3], turned(images.flip(1, 2)).flip(1, 2), 12)
    both = layer(images)
    layer.merge = "sum"
    assert_close(layer(images), both[..., :3] + both[..., 3:], 12)
    assert (layer.output_size, turned.output_size) == (3, 3)


def test_views_that_are_not_contiguous() -> None:
    layer = layer_of()
    images = images_of(layer)
    turned = images.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
    assert not turned.is_contiguous()
    assert torch.equal(layer(turned), layer(images))


def test_no_images() -> None:
    layer = layer_of()
    found = layer(images_of(layer, 0).requires_grad_())
    assert found.shape == (0, 5, 7, 12)
    found.sum().backward()
    assert layer.weights.grad is not None
    assert not layer.weights.grad.any()


def test_torch_func_goes_through_the_reference() -> None:
    layer = layer_of(backend="auto")
    images = images_of(layer, 2)
    parameters: dict[str, Tensor] = dict(layer.named_parameters())
    found = torch.func.vmap(lambda x: torch.func.functional_call(layer, parameters, (x[None],))[0])(images)
    assert_close(found, layer(images), 12)


def test_copies_are_layers_of_their_own(tmp_path: Path) -> None:
    layer = layer_of("forget with peepholes")
    images = images_of(layer)
    torch.save(layer.state_dict(), tmp_path / "layer.pt")
    other = layer_of("forget with peepholes")
    with torch.no_grad():
        other.weights.zero_()
    other.load_state_dict(torch.load(tmp_path / "layer.pt"))
    copied = copy.deepcopy(layer)
    for found in (other, copied, pickle.loads(pickle.dumps(layer))):
        assert torch.equal(found(images), layer(images))
    with torch.no_grad():
        copied.weights.zero_()
    assert not torch.equal(copied(images), layer(images))


def test_what_it_prints() -> None:
    assert str(MDLSTM(1, 2, directions=("up-left",), merge="sum")) == (
        "MDLSTM(1, 2, cell=MDLSTM(memory_cell='stable', peephole=False), directions=('up-left',), merge='sum')"
    )


def test_it_says_which_backend_runs() -> None:
    layer = layer_of()
    assert layer.explain(images_of(layer)).splitlines()[0] == 'backend: cpu (the first of "auto" that can)'
    half = MDLSTM(1, 2, dtype=torch.bfloat16)
    assert "cannot: the compiled core computes in float32 and float64" in half.explain(
        torch.zeros(1, 1, 1, 1).bfloat16()
    )
    with pytest.raises(ConfigurationError, match=r'backend="cpu" cannot run the call: .* not in bfloat16'):
        MDLSTM(1, 2, dtype=torch.bfloat16, backend="cpu")(torch.zeros(1, 1, 1, 1).bfloat16())


@pytest.mark.parametrize(
    ("images", "sizes", "message"),
    [
        (torch.zeros(1, 2, 3), None, r"expected images of shape \[B, R, C, 2\]"),
        (torch.zeros(1, 2, 3, 1).double(), None, r"got \[1, 2, 3, 1\]"),
        (torch.zeros(1, 2, 3, 2), None, r"torch.float32 on cpu, the parameters torch.float64"),
        (torch.zeros(1, 0, 3, 2).double(), None, "at least one row"),
        ([[1.0]], None, "got list"),
        (torch.zeros(1, 2, 3, 2).double(), [(3, 3)], r"sizes\[0\] is \(3, 3\); expected 0 to 2 rows"),
        (torch.zeros(1, 2, 3, 2).double(), [(-1, 3)], r"sizes\[0\] is \(-1, 3\)"),
        (torch.zeros(1, 2, 3, 2).double(), [(1, 1), (1, 1)], r"expected sizes \[1, 2\]"),
        (torch.zeros(1, 2, 3, 2).double(), [(1.0, 1.0)], "whole numbers"),
        (torch.zeros(1, 2, 3, 2).double(), ["ab"], "whole numbers"),
    ],
)
def test_images_that_cannot_be_walked(images: Any, sizes: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        layer_of()(images, sizes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 0}, "input_size=0"),
        ({"hidden_size": 1.5}, "hidden_size=1.5"),
        ({"cell": "lstm"}, "must be a gatewise.cells.GridCell"),
        ({"merge": "mean"}, "merge='mean' is not known"),
        ({"backend": "gpu"}, "backend='gpu' is not known"),
        ({"directions": ()}, "must name some of down-right"),
        ({"directions": ("down",)}, "'down' is not known; did you mean"),
        ({"directions": ("up-left", "up-left")}, "twice"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        MDLSTM(**{"input_size": 1, "hidden_size": 2, **arguments})


def test_a_stable_cell_keeps_within_its_bounds() -> None:
    """Of two forget gates near 1 the state grows with the number of paths; between two states it cannot."""
    states = {}
    for memory_cell in ("forget", "leaky"):
        layer = MDLSTM(1, 1, cell=cells.MDLSTM(memory_cell), directions=("down-right",), dtype=torch.float64)
        with torch.no_grad():
            layer.weights.zero_()
            layer.vectors.zero_()
            p = layer.equation_parameters("down-right")
            for name in ("b_f_up", "b_f_left", "b_z", "b_o"):
                if name in p:
                    p[name].fill_(5.0)
        # h = o tanh(c): the first of the two has long come to o.
        with torch.no_grad():
            states[memory_cell] = float(layer(torch.zeros(1, 12, 12, 1, dtype=torch.float64))[0, -1, -1, 0])
    assert states["forget"] > 0.99
    assert states["leaky"] < 0.77  # tanh(1)
