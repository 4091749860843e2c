"""Options are the estimators' parameters: all of them, with their types, defaults and descriptions."""

import inspect
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.cli.configuration import read_config, render_config, resolve
from gatewise.cli.parameter import REQUIRED, Parameter, read_parameters
from gatewise.cli.train import classify_parameters, forecast_parameters
from gatewise.errors import ConfigurationError
from gatewise.tasks import Classifier, Forecaster

SOURCES = [
    ("tasks/forecasting/forecaster.py", Forecaster),
    ("tasks/classification/classifier.py", Classifier),
]


@pytest.mark.parametrize(("file", "class_"), SOURCES)
def test_the_source_says_what_the_class_does(file: str, class_: type) -> None:
    read = {parameter.name: parameter.default for parameter in read_parameters(file, class_.__name__)}
    signature = inspect.signature(class_).parameters
    assert read == {name: parameter.default for name, parameter in signature.items()}


@pytest.mark.parametrize(("file", "class_"), SOURCES)
def test_every_parameter_is_described(file: str, class_: type) -> None:
    assert [parameter.name for parameter in read_parameters(file, class_.__name__) if not parameter.help] == []


@pytest.mark.parametrize("parameters", [forecast_parameters(), classify_parameters()])
def test_every_training_can_be_limited_seeded_and_placed(parameters: tuple[Parameter, ...]) -> None:
    assert {"max_epochs", "max_minutes", "seed", "threads", "device"} <= {parameter.name for parameter in parameters}


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-1", -1), ("none", None), ("None", None)],
)
def test_texts_of_a_number_that_may_be_none(text: str, value: int | None) -> None:
    assert Parameter("patience", ("int",), optional=True, default=8).from_text(text) == value


def test_a_column_may_be_called_none() -> None:
    assert Parameter("id", ("str",), optional=True).from_text("none") == "none"


def test_weights_and_their_text() -> None:
    weights = Parameter("class_weight", ("weights", "str"), optional=True)
    assert weights.from_text("a=1,b=2.5") == {"a": 1.0, "b": 2.5}
    assert weights.from_text("x=y=2") == {"x=y": 2.0}
    assert weights.from_text("balanced") == "balanced"


VALUES = {
    "whole": (Parameter("whole", ("int",), optional=True, default=3), st.none() | st.integers(-(2**40), 2**40)),
    "real": (Parameter("real", ("float",), default=0.5), st.floats(allow_nan=False, allow_infinity=False)),
    "flag": (Parameter("flag", ("bool",), default=False), st.booleans()),
    "text": (Parameter("text", ("str",), optional=True), st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
    "names": (Parameter("names", ("names",), default=()), st.lists(st.text(st.characters(exclude_categories=["Cs"])))),
    "weights": (
        Parameter("weights", ("weights", "str"), optional=True),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0.1, 10)),
    ),
}


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({name: values for name, (_, values) in VALUES.items()}))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    parameters = [parameter for parameter, _ in VALUES.values()]
    file = tmp_path_factory.mktemp("toml") / "train.toml"
    text = render_config(parameters, values, "demo", "gatewise train demo 'a\nb'")
    assert tomllib.loads(text)["task"] == "demo"
    file.write_text(text, encoding="utf-8", newline="")
    expected = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    assert resolve(parameters, {}, read_config(file, parameters, "demo")) == expected


def test_what_nothing_gives_is_missing() -> None:
    parameters = (Parameter("target", ("str",), default=REQUIRED), Parameter("horizon", ("int",), default=REQUIRED))
    with pytest.raises(ConfigurationError, match="missing --target and --horizon: give them here"):
        resolve(parameters, {"target": None}, {})
    with pytest.raises(ConfigurationError, match="missing --horizon: give it here"):
        resolve(parameters, {"target": "sales"}, {})
