"""Where and with what numbers were measured."""

import datetime
import importlib.metadata
import os
from typing import Any

from benchmarks.speed.case import Settings
from gatewise.cli.doctor import examine

PACKAGES = ("gatewise", "torch", "onnxruntime", "numpy")


def machine(settings: Settings) -> dict[str, Any]:
    """JSON types: processor and its instruction set, versions, threads, seed, date."""
    found = examine()
    core = found["cpu"]["core"]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": found["cpu"]["name"],
        "cores": found["cpu"]["usable_cores"],
        "instructions": found["cpu"]["instructions"],
        "core_level": None if core is None else core["level"],
        "platform": found["platform"],
        "python": found["python"],
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "threads": settings.threads,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "seed": settings.seed,
        "quick": settings.quick,
        "clock": settings.clock,
    }
