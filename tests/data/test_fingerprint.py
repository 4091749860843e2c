"""A fingerprint is that of the content: whatever holds it, and nothing else."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gatewise.data import Ragged
from gatewise.data.fingerprint import fingerprint
from gatewise.data.panel import Panel, Roles

TABLE = pa.table({"id": ["a"] * 5 + ["b"] * 5, "value": np.arange(10.0), "kind": list("xyxyx" * 2)})


@dataclass(frozen=True)
class Pair:
    first: Any
    second: Any


def test_equal_content_is_equal() -> None:
    values = np.arange(24.0).reshape(4, 6)
    assert fingerprint(values) == fingerprint(values.copy(order="F")) == fingerprint(values.T.copy().T)
    assert fingerprint(values[:, ::2]) == fingerprint(values[:, ::2].copy())
    assert fingerprint(Pair(values, ("a", None))) == fingerprint(Pair(values.copy(), ("a", None)))
    panel = Panel.from_table(TABLE, Roles("value", id="id", past=("kind",)))
    assert fingerprint(panel) == fingerprint(Panel.from_table(TABLE, Roles("value", id="id", past=("kind",))))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros(3), np.zeros(3, np.float32)),
        (np.zeros(6), np.zeros((2, 3))),
        (np.zeros(3), np.array([0.0, 0.0, -0.0])),
        (np.zeros(0), np.zeros((0, 2))),
        (np.array([1]), np.array([1], "datetime64[us]")),
        (["ab", "c"], ["a", "bc"]),
        (["a", ["b"]], [["a"], "b"]),
        ("1", 1),
        (None, "None"),
        (1, True),
        (1, 1.0),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (np.array(["a", "b"]), np.array(["a", "c"])),
        (np.array(["a", None], object), np.array(["a", "None"], object)),
    ],
)
def test_other_content_is_another(one: Any, other: Any) -> None:
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(Pair(one, 0)) != fingerprint(Pair(0, one))


def test_every_value_and_label_of_data_counts() -> None:
    data = Ragged.from_arrays([np.zeros((2, 1)), np.zeros((3, 1))], labels=["a", "b"])
    found = {
        fingerprint(other)
        for other in (
            data,
            replace(data, labels=np.array(["a", "c"])),
            replace(data, channels=("x",)),
            Ragged.from_arrays([np.zeros((3, 1)), np.zeros((2, 1))], labels=["a", "b"]),
            Ragged.from_arrays([np.zeros((2, 1)), np.full((3, 1), np.nan)], labels=["a", "b"]),
        )
    }
    assert len(found) == 5
    roles = Roles("value", id="id", past=("kind",))
    changed = TABLE.set_column(2, "kind", [list("xyxyx" + "xyxyy")])
    assert fingerprint(Panel.from_table(TABLE, roles)) != fingerprint(Panel.from_table(changed, roles))


def test_what_has_no_content_is_refused() -> None:
    with pytest.raises(TypeError, match="no fingerprint is defined of the type object"):
        fingerprint([object()])
