"""Bands calibrated on the validation part: what they cover, what they leave alone, and what they refuse."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks import Forecaster
from gatewise.tasks.folder import CONFIG, read_folder, write_folder
from gatewise.tasks.forecasting.bands import check_enough, widened, widening

TINY: dict[str, Any] = {"members": 1, "max_epochs": 2, "hidden_size": 8, "threads": 1}
TABLE = pa.table({"t": np.arange(120), "y": np.sin(np.arange(120.0)) + np.random.default_rng(0).normal(0, 0.5, 120)})


@pytest.fixture(scope="module")
def model() -> Forecaster:
    return Forecaster("y", 3, conformal=0.8, **TINY).fit(TABLE)


def test_exchangeable_errors_are_covered_as_often_as_claimed() -> None:
    random = torch.Generator().manual_seed(0)
    covered = []
    for _ in range(400):
        errors = torch.randn(39 + 500, 2, generator=random) * torch.tensor([1.0, 3.0])
        band = widening(errors[:39], torch.zeros(39, 2, 2), torch.ones(39, 2, dtype=torch.bool), 0.8)
        covered.append((errors[39:].abs() <= torch.tensor(band)).float().mean(0))
    # Of n = 39 errors the 32nd smallest: coverage 32 / 40 on average, with deviation sqrt(0.8 * 0.2 / 41) each time.
    mean = torch.stack(covered).mean(0)
    torch.testing.assert_close(mean, torch.full((2,), 0.8), atol=4 * math.sqrt(0.16 / 41 / 400), rtol=0)


def test_the_rank_is_that_of_the_paper() -> None:
    truth = torch.arange(1.0, 10.0)[:, None]
    there = torch.ones(9, 1, dtype=torch.bool)
    assert widening(truth, torch.zeros(9, 1, 2), there, 0.8) == (8.0,)  # ceil(10 * 0.8)
    assert widening(truth, torch.zeros(9, 1, 2), there, 0.81) == (9.0,)
    there[0] = False
    assert widening(truth, torch.zeros(9, 1, 2), there, 0.5) == (6.0,)  # the 5th of 2 to 9


def test_a_band_that_was_too_wide_becomes_narrower_and_never_turns_over() -> None:
    truth, there = torch.zeros(9, 1), torch.ones(9, 1, dtype=torch.bool)
    wide = torch.tensor([-2.0, 1.0, 2.0]).expand(9, 1, 3)
    band = widening(truth, wide, there, 0.8)
    assert band == (-2.0,)
    assert widened(wide, band)[0, 0].tolist() == [0.0, 0.0, 0.0]
    assert widened(wide, (-5.0,))[0, 0].tolist() == [0.0, 0.0, 0.0]
    assert widened(wide, (-1.5,))[0, 0].tolist() == [-0.5, 0.5, 0.5]
    assert widened(wide, (1.0,))[0, 0].tolist() == [-3.0, 1.0, 3.0]


def test_too_few_errors_for_a_coverage_are_refused() -> None:
    check_enough(4, 0.8)
    with pytest.raises(DataError, match=r"conformal=0.8 needs 4 or more .* there are 3; give more rows"):
        check_enough(3, 0.8)
    there = torch.tensor([[True, True]] * 3 + [[True, False]])
    with pytest.raises(DataError, match="there are 3"):
        widening(torch.zeros(4, 2), torch.zeros(4, 2, 2), there, 0.8)
    with pytest.raises(DataError, match=r"conformal=0\.8 needs 4 or more validated forecasts"):
        Forecaster("y", 3, conformal=0.8, **TINY).fit(TABLE.slice(0, 15))


@pytest.mark.parametrize(
    ("conformal", "quantiles", "message"),
    [
        (1.0, (0.1, 0.9), "conformal is 1.0, expected a coverage between 0 and 1 or None"),
        ("wide", (0.1, 0.9), "conformal is 'wide', expected a coverage"),
        (0.9, (0.1, 0.9), r"conformal is 0.9, which the outermost .* expected for instance \[0.05, 0.5, 0.95\]"),
        (0.8, (0.5,), "the outermost quantiles have to enclose; the quantiles are"),
    ],
)
def test_what_cannot_be_meant_is_refused(conformal: Any, quantiles: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Forecaster("y", 3, conformal=conformal, quantiles=quantiles).fit(TABLE)


def test_only_the_band_changes(model: Forecaster) -> None:
    plain = Forecaster("y", 3, **TINY).fit(TABLE)
    band = np.array(model.recipe_.band)
    assert len(band) == 3
    assert (band != 0).all()
    assert plain.recipe_.band == ()
    assert "The 80% band is calibrated on" in " ".join(model.notes_)
    own, other = model.predict(TABLE), plain.predict(TABLE)
    np.testing.assert_array_equal(own.column("forecast"), other.column("forecast"))
    deviation = np.std(TABLE.column("y").to_numpy())
    for name, sign in (("q0.1", -1), ("q0.9", 1)):
        moved = own.column(name).to_numpy() - other.column(name).to_numpy()
        np.testing.assert_allclose(moved, sign * band * deviation, rtol=1e-6)


def test_a_calibrated_model_is_kept(model: Forecaster, tmp_path: Path) -> None:
    again = Forecaster.load(model.save(tmp_path / "model"))
    assert again.recipe_ == model.recipe_
    assert again.predict(TABLE) == model.predict(TABLE)
    again.set_params(conformal=None)
    with pytest.raises(ConfigurationError, match="conformal was set to None after fit, but the model was fitted"):
        again.predict(TABLE)


def test_models_from_before_there_were_bands_load(tmp_path: Path) -> None:
    plain = Forecaster("y", 3, **TINY).fit(TABLE)
    folder = read_folder(plain.save(tmp_path / "model"))
    config = json.loads(json.dumps(folder.config))
    del config["parameters"]["conformal"], config["recipe"]["band"]
    assert (tmp_path / "model" / CONFIG).exists()
    old = write_folder(
        tmp_path / "old", task="forecast", weights=dict(folder.weights), config=config, metrics={}, card="",
        overwrite=False, extra={},
    )  # fmt: skip
    assert Forecaster.load(old).predict(TABLE) == plain.predict(TABLE)


def test_a_training_from_a_calibrated_model_calibrates_anew_or_not_at_all(model: Forecaster, tmp_path: Path) -> None:
    start = model.save(tmp_path / "model")
    plain = Forecaster("y", 3, **TINY).fit(TABLE, init_from=start)
    again = Forecaster("y", 3, conformal=0.8, **TINY).fit(TABLE, init_from=start)
    assert plain.recipe_.band == ()
    assert len(again.recipe_.band) == 3
    assert again.recipe_.spread == plain.recipe_.spread
