"""Steps as text: the same step comes back, and nothing else is taken for one."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

import gatewise.cells
from gatewise.cells import LSTM, LSTM1997
from gatewise.equations import Step, detach, maximum, parameter, transform
from gatewise.equations import trace as traced
from gatewise.equations.text import FORMAT, dumps, loads
from gatewise.errors import CellError

TRANSFORMS: dict[str, Callable[[Step], Step]] = {
    "as it is": lambda step: step,
    "resets and padding": lambda step: transform.padding(transform.resets(step)),
    "zoneout": lambda step: transform.zoneout(step, {step.output: 0.1}, training=True),
    "clipped": lambda step: transform.clip_gradient(step, 0.5),
    "dropout": lambda step: transform.variational_dropout(step, step.output),
    "normalised": transform.layer_norm,
}


def same(got: Step, want: Step) -> bool:
    """Whether two steps are equal in everything."""
    mappings = ("inputs", "states", "updates", "observed", "parameters", "initial")
    return (
        all(list(getattr(got, key).items()) == list(getattr(want, key).items()) for key in mappings)
        and (got.name, got.output, got.undifferentiated) == (want.name, want.output, want.undifferentiated)
        and str(got) == str(want)
    )


@pytest.mark.parametrize("name", gatewise.cells.list())
@pytest.mark.parametrize("change", TRANSFORMS)
def test_round_trip(name: str, change: str) -> None:
    before = gatewise.cells.get(name)().trace()
    if change == "normalised" and any(key.startswith("gain_") for key in before.parameters):
        change = "as it is"
    step = TRANSFORMS[change](before)
    loads.cache_clear()
    assert same(loads(dumps(step)), step)
    assert dumps(loads(dumps(step))) == dumps(step)


def test_numbers_survive() -> None:
    numbers = [0.1, -0.0, 1e-300, math.inf, 1 / 3, 2.0]

    def step(x, h):
        total = h
        for value in numbers:
            total = maximum(total, detach(parameter("b") + value))
        return {"h": total}

    before = traced("Numbers", step, inputs={"x": "H"}, states={"h": "H"}, initial={"h": -math.inf})
    after = loads(dumps(before))
    assert after.updates["h"] is before.updates["h"]
    assert after.initial["h"] == -math.inf
    assert "Infinity" not in dumps(before)


def test_different_steps_have_different_texts() -> None:
    texts = {dumps(gatewise.cells.get(name)().trace()) for name in gatewise.cells.list()}
    assert len(texts) == len(gatewise.cells.list())
    assert dumps(LSTM1997().trace()) != dumps(LSTM1997(truncated=True).trace())


def edited(*path: Any, value: Any) -> str:
    content = json.loads(dumps(LSTM().trace()))
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(content)


NODES = json.loads(dumps(LSTM().trace()))["nodes"]
SIGMOID = next(k for k, node in enumerate(NODES) if node[0] == "sigmoid")
MATMUL = next(k for k, node in enumerate(NODES) if node[0] == "matmul")
PARAMETER = next(k for k, node in enumerate(NODES) if node[0] == "parameter")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (edited("format", value=FORMAT + 1), r"in format 2, this version of gatewise reads format 1; use the version"),
        (edited("nodes", SIGMOID, 0, value="swish"), 'the operation "swish", which this version .* does not know'),
        (edited("nodes", SIGMOID, 1, value=[0, 0]), 'give the operation "sigmoid" 2 operands instead of 1'),
        (edited("nodes", SIGMOID, 3, value="X"), '"sigmoid" with a width, a name or a value that does not fit'),
        (edited("nodes", SIGMOID, 2, value="name"), '"sigmoid" with a width, a name or a value that does not fit'),
        (edited("nodes", SIGMOID, 1, value=[-1]), "not a step's equations .*-1 is the number of no node"),
        (edited("nodes", SIGMOID, 1, value=[len(NODES)]), "not a step's equations"),
        (edited("nodes", SIGMOID, 1, value=[True]), "not a step's equations"),
        (edited("nodes", MATMUL, 3, value=None), '"matmul" with a width, a name or a value that does not fit'),
        (edited("nodes", MATMUL, 3, value="Q"), "the widths do not fit|do not fit"),
        (edited("nodes", PARAMETER, 2, value={"float": "zz"}), "not a step's equations"),
        (edited("nodes", PARAMETER, 2, value=3), '"parameter" with a width, a name or a value that does not fit'),
        (edited("nodes", 0, value=["input", [], "y", "X"]), "do not fit its inputs, states or parameters"),
        (edited("states", "h", value=0), "do not fit"),
        (edited("updates", "h", value=0), "do not fit"),
        (edited("updates", "h", value=KeyError), "do not fit"),
        (edited("parameters", "b_i", value=["X"]), "do not fit its inputs, states or parameters"),
        (edited("parameters", "b_i", value=KeyError), "do not fit"),
        (edited("initial", "c", value="zero"), "do not fit"),
        (edited("output", value="y"), "do not fit"),
        (edited("undifferentiated", value=["q"]), "do not fit"),
        (edited("nodes", value=KeyError), r"not a step's equations as gatewise writes them \(KeyError"),
        (edited("nodes", 0, value="input"), "not a step's equations|does not know"),
        ("", "not a step's equations"),
        ("[]", "not a step's equations"),
        ("{}", "not a step's equations"),
        (dumps(LSTM().trace())[:-5], "not a step's equations"),
    ],
)
def test_what_is_no_step_is_refused(text: str, message: str) -> None:
    with pytest.raises(CellError, match=message):
        loads(text)
