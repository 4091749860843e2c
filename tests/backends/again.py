"""The tests of cells and layers once more, on one backend of ours.

Where they leave the choice to "auto", that takes the backend first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import pytest

from tests.cells import running

chooser = import_module("gatewise.backends.choose")


def first(name: str) -> Callable[..., Any]:
    """A fixture for all tests of a module: "auto" tries the backend first, and single cells run on it."""

    @pytest.fixture(autouse=True)
    def preferred(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        known: Mapping[str, Any] = chooser.BACKENDS
        order = {name: known[name], **{other: supports for other, supports in known.items() if other != name}}
        chooser.choose.cache_clear()
        monkeypatch.setattr(chooser, "BACKENDS", MappingProxyType(order))
        monkeypatch.setattr(running, "BACKEND", name)
        yield
        chooser.choose.cache_clear()

    return preferred


def tests(modules: Sequence[str], without: Sequence[str]) -> dict[str, Any]:
    """The tests of modules of `tests`, under their names with the module's in front, but for some."""
    found: dict[str, Any] = {}
    left = set(without)
    for path in modules:
        module = import_module(f"tests.{path}")
        for name, test in vars(module).items():
            if name.startswith("test_") and test.__module__ == module.__name__:
                if name in left:
                    left.remove(name)
                else:
                    found[f"test_{path.replace('.test_', '_')}_{name.removeprefix('test_')}"] = test
    assert not left, f"no such test: {left}"
    return found


LAYERS = ("nn.test_lstm", "nn.test_recurrent", "nn.test_gradients", "nn.test_transforms_together")
CELLS = (
    "cells.test_cell",
    "cells.test_ea_lstm",
    "cells.test_elman",
    "cells.test_gru",
    "cells.test_gru_d",
    "cells.test_janet",
    "cells.test_lstm_family",
    "cells.test_mgu",
    "cells.test_multiplicative_lstm",
    "cells.test_phased_lstm",
    "cells.test_slstm",
)
OF_THE_ORDER = ("test_explain_names_the_backend_and_the_others", "test_only_the_backend_of_that_name_is_torchs_call")
