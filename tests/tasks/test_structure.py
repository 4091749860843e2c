"""A parameter that a fitted model is made of cannot be set without fitting again."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gatewise.errors import ConfigurationError
from gatewise.tasks import Classifier, Forecaster

TABLE = pa.table({"t": np.arange(60), "y": np.sin(np.arange(60.0)), "x": np.arange(60) % 4.0, "shop": ["a"] * 60})
X = [np.sin((k % 2 + 1) * np.arange(8 + k % 3)[:, None]) for k in range(12)]
Y = ["slow", "fast"] * 6


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster("y", 3, time="t", id="shop", past=["x"], members=1, max_epochs=1, hidden_size=4).fit(TABLE)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(4, members=2, max_epochs=1, validation=0).fit(X, Y)


CHANGES: list[tuple[str, Any]] = [
    ("target", "x"), ("horizon", 6), ("time", None), ("id", None), ("past", ()), ("future", ["x"]), ("static", ["x"]),
    ("quantiles", (0.2, 0.5)), ("hidden_size", 5), ("num_layers", 2), ("members", 3),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_a_forecaster_is_not_used_as_what_it_was_not_fitted_as(forecaster: Forecaster, name: str, value: Any) -> None:
    before = forecaster.get_params()[name]
    forecaster.set_params(**{name: value})
    try:
        for use in (forecaster.predict, forecaster.backtest, forecaster.evaluate, forecaster.score, forecaster.observe):
            with pytest.raises(ConfigurationError, match=f"^{name} was set to .* after fit, but .* call fit again"):
                use(TABLE)
        with pytest.raises(ConfigurationError, match=rf"or set_params\({name}="):
            forecaster.save("nowhere")
    finally:
        forecaster.set_params(**{name: before})
    assert forecaster.predict(TABLE).num_rows == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_size", 5), ("num_layers", 2), ("bidirectional", False), ("members", 1), ("channels", ["a"])],
)
def test_a_classifier_is_not_used_as_what_it_was_not_fitted_as(classifier: Classifier, name: str, value: Any) -> None:
    before = classifier.get_params()[name]
    classifier.set_params(**{name: value})
    try:
        for use in (classifier.predict, classifier.predict_proba, classifier.observe):
            with pytest.raises(ConfigurationError, match=f"^{name} was set to .* after fit, but .* call fit again"):
                use(X)
        with pytest.raises(ConfigurationError, match=rf"or set_params\({name}="):
            classifier.save("nowhere")
    finally:
        classifier.set_params(**{name: before})
    assert len(classifier.predict(X)) == 12


def test_the_same_in_other_words_and_what_only_trains_may_be_set(forecaster: Forecaster, tmp_path: Any) -> None:
    forecaster.set_params(past=("x",), quantiles=[0.1, 0.5, 0.9], learning_rate=1e-4, progress=False)
    assert forecaster.predict(TABLE).num_rows == 3
    again = Forecaster.load(forecaster.save(tmp_path / "model"))
    again.set_params(horizon=4)
    with pytest.raises(ConfigurationError, match="horizon was set to 4 after fit, but the model was fitted with 3"):
        again.predict(TABLE)


def test_after_another_fit_it_may_be_used() -> None:
    model = Forecaster("y", 3, members=1, max_epochs=1, hidden_size=4).fit(TABLE.select(["t", "y"]))
    model.set_params(horizon=5).fit(TABLE.select(["t", "y"]))
    assert model.predict(TABLE.select(["t", "y"])).num_rows == 5
