"""A pytest plugin: the compiled core that GATEWISE_WATCHED_CORE names, in the place of the installed one.

`.ci/watch` builds it with what watches memory or threads, and runs tests with `-p watched_core`.
"""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location

import torch  # noqa: F401  (the core takes torch's OpenMP)

_spec = spec_from_file_location("gatewise._core", os.environ["GATEWISE_WATCHED_CORE"])
assert _spec is not None
assert _spec.loader is not None
_module = module_from_spec(_spec)
_spec.loader.exec_module(_module)
sys.modules["gatewise._core"] = _module


def pytest_report_header() -> str:
    """Which core is run."""
    return f"core: {_module.__file__}"
