"""`gatewise doctor`: what this installation runs on."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gatewise.version import __version__

PACKAGES = ("torch", "numpy", "safetensors", "pyarrow", "narwhals", "pydantic", "scikit-learn", "typer", "rich",
            "matplotlib", "pandas", "polars")  # fmt: skip


def examine() -> dict[str, Any]:
    """Versions, processor, threads, devices, and which backend runs an LSTM here and why, as JSON types."""
    import torch

    from gatewise.backends import cpu

    return {
        "gatewise": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cpu": {
            "name": _cpu_name(),
            "usable_cores": _usable_cores(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "core": None if cpu.core is None else {"level": cpu.core.level(), "levels": cpu.core.levels()},
        },
        "threads": {
            "torch": torch.get_num_threads(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
            "MKL_NUM_THREADS": os.environ.get("MKL_NUM_THREADS"),
        },
        "devices": _devices(),
        "backends": _backends(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    # a container or taskset may leave fewer cores than the machine has; not every system can tell
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _devices() -> list[dict[str, Any]]:
    import torch

    devices: list[dict[str, Any]] = [{"name": "cpu", "what": _cpu_name()}]
    for i in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(i)
        memory = round(found.total_memory / 2**30, 1)
        devices.append({"name": f"cuda:{i}", "what": found.name, "memory_gib": memory})
    return devices


def _backends() -> dict[str, dict[str, str | None]]:
    """Device -> backend -> why it cannot run a float32 LSTM there, or None where it can."""
    import torch

    from gatewise.backends.call import Call
    from gatewise.backends.choose import BACKENDS
    from gatewise.cells import LSTM

    kinds = dict.fromkeys(device["name"].partition(":")[0] for device in _devices())
    reasons: dict[str, dict[str, str | None]] = {}
    for kind in kinds:
        call = Call(LSTM(), kind, torch.float32, steps=100, batch=32, sizes=(("H", 64), ("X", 8)), ragged=True)
        reasons[kind] = {name: supports(call) for name, supports in BACKENDS.items()}
    return reasons


def _core(core: dict[str, Any] | None) -> str:
    if core is None:
        return "not there: installed without a C++ compiler"
    return f"{core['level']} (of {', '.join(core['levels'])}; GATEWISE_CPU_LEVEL chooses)"


def facts(found: dict[str, Any]) -> dict[str, str]:
    """The findings as lines for people."""
    threads, cpu = found["threads"], found["cpu"]
    environment = ", ".join(f"{name}={threads[name]}" for name in threads if name != "torch" and threads[name])
    lines = {
        "gatewise": found["gatewise"],
        "python": found["python"],
        "platform": found["platform"],
        "cpu": f"{cpu['name']}, {cpu['usable_cores']} usable cores, {cpu['instructions']}",
        "compiled core": _core(cpu["core"]),
        "threads": f"{threads['torch']}" + (f" ({environment})" if environment else ""),
    }
    for device in found["devices"]:
        memory = f", {device['memory_gib']} GiB" if "memory_gib" in device else ""
        lines[f"device {device['name']}"] = f"{device['what']}{memory}"
    for kind, backends in found["backends"].items():
        for name, reason in backends.items():
            lines[f"backend {name} on {kind}"] = "runs" if reason is None else f"cannot run: {reason}"
    for name, number in found["packages"].items():
        lines[name] = number or "not installed"
    return lines
