import numpy as np
import pytest

from gatewise.data.blocks import Spread, blocks


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_blocks_are_all_rows_once_in_order(size: int) -> None:
    parts = list(blocks(2, 9, size))
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(2, 9))
    assert list(blocks(4, 4, size)) == []


@pytest.mark.parametrize("shape", [(1_000,), (1_000, 3)])
@pytest.mark.parametrize("size", [1, 7, 999, 1_000])
def test_spread_of_parts_is_that_of_the_whole_even_far_from_zero(shape: tuple[int, ...], size: int) -> None:
    values = np.random.default_rng(0).normal(1e9, 1e-3, shape)
    spread = Spread.of(values[part] for part in blocks(0, len(values), size))
    assert spread.count == len(values)
    np.testing.assert_allclose(spread.mean, values.mean(0), rtol=1e-14)
    # a value of this size is known to 1e-7, a ten-thousandth of the deviation
    np.testing.assert_allclose(spread.deviation, values.std(0), rtol=1e-3)


def test_spread_of_nothing() -> None:
    assert (Spread.of([np.zeros(0)]).count, Spread.of([]).deviation) == (0, 0.0)
