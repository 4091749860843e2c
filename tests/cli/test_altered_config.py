"""A config.json altered together with its own sha256 is refused in one message, or does no harm: never a traceback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewise.checksum import json_sha256
from tests.cli.program import Program

DATA = {"sales": "sales.csv", "waves": "waves.ts"}
ODD: tuple[Any, ...] = (None, "x", -1, 10**9, 0.5, [], {}, [[]], float("nan"))


def alter(folder: Path, where: tuple[str, ...], value: Any) -> None:
    """Put a value into the configuration, with the sha256 that belongs to it."""
    content = json.loads((folder / "config.json").read_text())
    inside = content["config"]
    for key in where[:-1]:
        inside = inside[key]
    inside[where[-1]] = value
    content["sha256"]["config.json"] = json_sha256(content["config"])
    (folder / "config.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        (("parameters", "horizon"), 4, "4 horizon"),
        (("parameters", "hidden_size"), 10**9, "1000000000 hidden_size"),
        (("parameters", "num_layers"), 10**9, "1000000000 num_layers"),
        (("parameters", "quantiles"), [0.5], "far_output"),
        (("parameters", "quantiles"), 0.5, "quantiles"),
        (("parameters", "past"), "rain", "expected a sequence of column names"),
        (("parameters", "target"), 3, "target"),
        (("parameters", "future"), [], 'covariate "rain"'),
        (("parameters", "gaps"), "leave", "gaps"),
        (("recipe", "lags"), 3, "head features"),
        (("recipe", "seasons"), [[5, 1.0]], "seasons and calendar must be among the periods"),
        (("recipe", "seasons"), [[7, 0.0]], "recipe.seasons"),
        (("recipe", "periods"), [1], "recipe.periods"),
        (("recipe", "weights"), [0.5, 2.0], "recipe.weights"),
        (("recipe", "covariates"), ["snow"], 'covariate "snow"'),
        (("statistics", "rows"), [[0.0], [1.0]], "row features"),
        (("statistics", "step"), 0, "statistics.step"),
        (("statistics", "head"), [[0.0], [0.0]], "scale above 0"),
        (("statistics", "channels"), {}, 'covariate "rain"'),
        (("frequency", "unit"), "fortnight", "fortnight"),
        (("networks",), 2, "2 networks"),
        (("trained_until",), "yesterday", "trained_until"),
        (("unknown",), 1, "unknown"),
    ],
)
def test_what_is_wrong_is_named(where: tuple[str, ...], value: Any, says: str, gatewise: Program, models: Path) -> None:
    alter(models / "sales", where, value)
    outcome = gatewise("evaluate", "sales", "sales.csv")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    for text in ("error: ", "config.json", says):
        assert text in outcome.err


def paths(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of a configuration and of what lies in it, two deep."""
    for key, inner in value.items():
        yield (*at, key)
        if isinstance(inner, dict) and not at:
            yield from paths(inner, (key,))


@pytest.mark.parametrize("model", ["sales", "waves"])
def test_no_value_of_any_key_gives_a_traceback(model: str, gatewise: Program, models: Path) -> None:
    whole = (models / model / "config.json").read_text()
    refused = 0
    for where in paths(json.loads(whole)["config"]):
        for value in ODD:
            (models / model / "config.json").write_text(whole)
            alter(models / model, where, value)
            outcome = gatewise("evaluate", model, DATA[model])  # an exception would end the test
            assert outcome.code in (0, 2), (where, value, outcome)
            if outcome.code == 2:
                assert outcome.err.startswith("error: "), (where, value, outcome)
                refused += 1
    assert refused > 100
