"""What a run is of: by it a fit knows the checkpoints that are its own."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from gatewise.errors import CheckpointError, CheckpointWarning
from gatewise.version import __version__


class About(BaseModel):
    """A run's task, parameters and data, and what computes it.

    Attributes:
        task: its name.
        parameters: those of the estimator.
        data: a fingerprint of all that is trained on.
        size: what the data are, in words, for messages.
        machine: what else decides the last bits: versions, instructions, threads, device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    task: str
    parameters: dict[str, Any]
    data: str
    size: str
    machine: dict[str, str]

    @classmethod
    def of(cls, task: str, parameters: Mapping[str, Any], data: str, size: str) -> "About":
        """With the machine as it is now; parameters become JSON types, the keys of a mapping text."""
        device = str(parameters.get("device", "cpu"))
        machine = {
            "gatewise": __version__,
            "torch": torch.__version__,
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": str(torch.get_num_threads()),
            "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        }
        plain = json.loads(json.dumps(parameters, default=_plain))
        return cls(task=task, parameters=plain, data=data, size=size, machine=machine)

    def check(self, wanted: "About", directory: Path, allow_changed_data: bool) -> None:
        """That the run `wanted` is this one, which `directory` holds; a warning where bits may come out differently.

        Raises:
            CheckpointError: another task, other parameters or other data.
        """
        if self.task != wanted.task:
            raise CheckpointError(
                f'{directory} holds a run of the task "{self.task}", not of "{wanted.task}": choose another folder.'
            )
        for name in sorted(self.parameters.keys() | wanted.parameters.keys()):
            then, now = self.parameters.get(name), wanted.parameters.get(name)
            if then != now:
                raise CheckpointError(
                    f"The run in {directory} was begun with {name}={_show(then)}, this fit has {_show(now)}. A run "
                    "goes on with the parameters it was begun with: give these, or choose another folder."
                )
        if self.data != wanted.data and not allow_changed_data:
            raise CheckpointError(
                f"The data are not those that the run in {directory} was begun with: then {self.size}; now "
                f"{wanted.size}{' with other values' if self.size == wanted.size else ''}. Give the same data, train "
                "into another folder, or force it with --allow-changed-data (in Python allow_changed_data=True)."
            )
        changed = [
            f"{name} {self.machine.get(name)}, now {value}"
            for name, value in wanted.machine.items()
            if self.machine.get(name) != value
        ]
        if changed:
            text = (
                f"The run in {directory} was begun with {'; '.join(changed)}: the last bits may come out differently."
            )
            warnings.warn(text, CheckpointWarning, stacklevel=2)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else list(value)


def _show(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)
