"""Covariates: the decisive ones are kept and used, the useless ones do no harm, and the notes say which is which."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks import Forecaster

TINY: dict[str, Any] = {"members": 1, "max_epochs": 2, "hidden_size": 8, "threads": 1, "periods": (7,)}
HORIZON, LENGTH = 4, 160
WEATHER = np.random.default_rng(6).normal(0, 1, LENGTH)
SALE = np.random.default_rng(7).integers(0, 2, LENGTH)


def table_of(known: int = LENGTH - HORIZON, **columns: Any) -> pa.Table:
    """Days with a load that follows the week, the weather and sales; the last ones are to be forecast."""
    day = np.datetime64("2024-01-01", "us") + np.arange(LENGTH) * np.timedelta64(1, "D")
    noise = np.random.default_rng(8).normal(0, 0.2, LENGTH)
    load = np.sin(2 * np.pi * np.arange(LENGTH) / 7) + 3 * WEATHER + 2 * SALE + noise
    load[known:] = np.nan
    return pa.table({"day": day, "load": pa.array(load, from_pandas=True), **columns})


def truth() -> np.ndarray:
    return table_of(LENGTH).column("load").to_numpy()[-HORIZON:]


def test_a_decisive_future_covariate_is_used_and_said_to_be() -> None:
    table = table_of(weather=WEATHER, sale=SALE)
    with_both = Forecaster("load", HORIZON, future=("weather", "sale"), **TINY).fit(table)
    without = Forecaster("load", HORIZON, **TINY).fit(table)
    assert with_both.recipe_.covariates == ("weather", "sale")
    for name in ("weather", "sale"):
        (note,) = [note for note in with_both.notes_ if f'Covariate "{name}"' in note]
        assert note.endswith("; used.")
        assert "error +" in note
    miss = np.abs(with_both.predict(table).column("forecast").to_numpy() - truth())
    blind = np.abs(without.predict(table).column("forecast").to_numpy() - truth())
    assert miss.mean() < 0.5
    assert blind.mean() > 2 * miss.mean()
    rainy = table.set_column(2, "weather", pa.array(np.where(np.arange(LENGTH) < LENGTH - 1, WEATHER, 5.0)))
    moved = with_both.predict(rainy).column("forecast").to_numpy() - with_both.predict(table).column("forecast")
    assert (moved[:-1] == 0).all()
    assert moved[-1] == pytest.approx(3 * (5 - WEATHER[-1]), rel=0.1)


def test_a_categorical_future_covariate_is_used_and_comes_back_from_the_folder(tmp_path: Path) -> None:
    names = np.array(["none", "sale"])[SALE]
    table = table_of(weather=WEATHER, sale=names)
    model = Forecaster("load", HORIZON, future=("weather", "sale"), **TINY).fit(table)
    assert "sale" in model.recipe_.covariates
    assert model.categories_ == {"sale": ("none", "sale")}
    forecast = model.predict(table).column("forecast").to_numpy()
    assert np.abs(forecast - truth()).mean() < 0.6
    again = Forecaster.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict(table).column("forecast"), forecast)
    odd = table.set_column(3, "sale", pa.array([*names[:-1], "party"]))
    unknown = model.predict(odd)
    assert np.isfinite(unknown.column("forecast").to_numpy()).all()


def test_useless_covariates_are_left_out_or_harmless_and_the_notes_say_so() -> None:
    rng = np.random.default_rng(5)
    useless: dict[str, Any] = {f"noise{k}": rng.normal(0, 1, LENGTH) for k in range(6)}
    table = table_of(weather=WEATHER, **useless)
    model = Forecaster("load", HORIZON, past=tuple(useless), future=("weather",), **TINY).fit(table)
    clean = Forecaster("load", HORIZON, future=("weather",), **TINY).fit(table)
    assert "weather" in model.recipe_.covariates
    assert len(model.recipe_.covariates) < 1 + len(useless)
    for name in (*useless, "weather"):
        (note,) = [note for note in model.notes_ if f'Covariate "{name}"' in note]
        assert note.endswith("; used." if name in model.recipe_.covariates else "; left out.")
    assert model.validation_["rmse"] < 1.15 * clean.validation_["rmse"]


def test_covariates_that_only_mislead_are_all_left_out() -> None:
    """In the rows that train, the covariate tells the next value; in those that validate, the opposite."""
    rng = np.random.default_rng(9)
    load = rng.normal(0, 1, 200)
    hint = np.append(load[1:], 0.0)
    hint[155:] *= -1
    model = Forecaster("load", 1, past=("hint",), **TINY).fit(pa.table({"load": load, "hint": hint}))
    assert model.recipe_.covariates == ()
    (note,) = [note for note in model.notes_ if 'Covariate "hint"' in note]
    assert "error -" in note
    assert note.endswith("; left out.")
    other = pa.table({"load": load, "hint": rng.normal(0, 9, 200)})
    same = pa.table({"load": load, "hint": hint})
    np.testing.assert_array_equal(model.predict(other).column("forecast"), model.predict(same).column("forecast"))


@pytest.fixture(scope="module")
def stores() -> pa.Table:
    """Stores of three kinds, whose kind and size say how a push comes back a day later."""
    rng = np.random.default_rng(10)
    tables = []
    for i in range(9):
        n = 50 + 7 * i
        push, kind, wind = rng.normal(0, 1, n), ("up", "down", "flat")[i % 3], rng.normal(0, 1, n)
        effect = {"up": 2.0, "down": -2.0, "flat": 0.0}[kind]
        load = 10 + effect * np.append(0.0, push[:-1]) + rng.normal(0, 0.1, n)
        wind[rng.choice(n, 5, replace=False)] = np.nan
        day = np.datetime64("2024-01-01", "us") + np.arange(n) * np.timedelta64(1, "D")
        mood = rng.choice(["x", "y"], n)
        tables.append(
            pa.table(
                {
                    "store": [f"s{i}"] * n, "day": day, "load": load, "push": push, "kind": [kind] * n,
                    "size": [float(i)] * n, "wind": pa.array(wind, from_pandas=True), "mood": mood,
                }
            )
        )  # fmt: skip
    return pa.concat_tables(tables)


ROLES: dict[str, Any] = {"id": "store", "past": ("push", "wind", "mood"), "static": ("kind", "size")}


def test_static_and_past_covariates_of_several_series(stores: pa.Table, tmp_path: Path) -> None:
    more = {**TINY, "max_epochs": 60, "hidden_size": 16, "learning_rate": 1e-2, "dropout": 0.0}
    model = Forecaster("load", 1, **ROLES, **more).fit(stores)
    assert {"push", "kind"} <= set(model.recipe_.covariates)
    # How the push comes back depends on the kind: no sum of the two says it, only the network can.
    assert model.validation_["rmse"] < 0.7 * model.validation_["baseline"]["rmse"]
    again = Forecaster.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict(stores).column("forecast"), model.predict(stores).column("forecast"))
    order = np.random.default_rng(0).permutation(stores.num_rows)
    shuffled = model.predict(stores.take(pa.array(order)))
    want = dict(
        zip(model.predict(stores)["store"].to_pylist(), model.predict(stores)["forecast"].to_pylist(), strict=True)
    )
    got = dict(zip(shuffled["store"].to_pylist(), shuffled["forecast"].to_pylist(), strict=True))
    assert got == pytest.approx(want, rel=1e-5)


def test_a_model_with_covariates_is_trained_further(stores: pa.Table, tmp_path: Path) -> None:
    model = Forecaster("load", 1, **ROLES, **TINY).fit(stores)
    folder = model.save(tmp_path / "model")
    further = Forecaster("load", 1, **ROLES, **TINY).fit(stores, init_from=folder)
    assert further.recipe_.covariates == model.recipe_.covariates
    assert model.recipe_.covariates
    with pytest.raises(
        ConfigurationError, match=r"the model to start from uses the covariates .*, which were not given"
    ):
        Forecaster("load", 1, id="store", **TINY).fit(stores, init_from=folder)
    with pytest.raises(ConfigurationError, match="the model to start from has other shapes"):
        Forecaster("load", 1, **ROLES, **{**TINY, "hidden_size": 9}).fit(stores, init_from=folder)


@pytest.mark.parametrize(("known", "rows"), [(LENGTH, 0), (LENGTH - HORIZON + 1, HORIZON - 1)])
def test_future_covariates_have_to_be_there_at_prediction(known: int, rows: int) -> None:
    model = Forecaster("load", HORIZON, future=("weather",), **TINY).fit(table_of(weather=WEATHER))
    message = (
        rf"future covariates \(weather\) have to be known for the 4 steps .* holds {rows} rows after the last known"
    )
    with pytest.raises(DataError, match=message):
        model.predict(table_of(known, weather=WEATHER))


def test_a_future_covariate_that_was_left_out_need_not_be_there_at_prediction() -> None:
    rng = np.random.default_rng(9)
    load = rng.normal(0, 1, 200)
    hint = np.append(0.0, load[:-1])
    hint[1:155], hint[155:] = load[1:155], -load[155:]
    table = pa.table({"load": load, "hint": hint})
    model = Forecaster("load", 1, future=("hint",), **TINY).fit(table)
    assert model.recipe_.covariates == ()
    assert model.predict(table).num_rows == 1
