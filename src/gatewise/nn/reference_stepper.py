"""The steps of a stream in torch operations: where the compiled core cannot run them.

Legend: T steps, B batch, X inputs, O outputs, w the width of a vector.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

import torch
from torch import Tensor

from gatewise.backends.stepper import BUSY, IN_USE, UNREADABLE
from gatewise.errors import ConfigurationError

States = list[dict[str, Tensor]]  # of each layer, [B, w]
Run = Callable[[Tensor, States, Mapping[str, Tensor]], tuple[Tensor, States]]


class ReferenceStepper:
    """The states of B sequences, and what advances them; with the methods of `gatewise.backends.stepper.Stepper`.

    Args:
        run: outputs `[T, B, O]` and final states, of an input `[T, B, X]`, the states before, and the further inputs.
        initial: the states before the first step.
        outputs: O.
        inputs: the names of the further inputs, in the order in which `run` is given them.
    """

    matrices = None  # nothing is packed
    threads = 1

    def __init__(self, run: Run, initial: States, outputs: int, inputs: Sequence[str]) -> None:
        self._run = run
        self._names = tuple(inputs)
        self._lock = Lock()
        with torch.inference_mode(False):
            self._memory = [{name: torch.zeros_like(value) for name, value in layer.items()} for layer in initial]
        example = next(iter(initial[0].values()))
        with torch.inference_mode():
            self.output = example.new_zeros(len(example), outputs)
        self.steps = 0

    def step(self, x: object, inputs: object, out: object) -> int:
        """There is no short way."""
        return UNREADABLE

    def run(self, x: Tensor, inputs: Sequence[Tensor], out: Tensor) -> int:
        """Advance all sequences by T steps.

        Args:
            x: `[T, B, X]`.
            inputs: the further ones, `[T, B, w]`.
            out: `[T, B, O]`, which is written.

        Returns:
            0, or that another thread was there before.
        """
        if not self._lock.acquire(blocking=False):
            return BUSY
        try:
            with torch.inference_mode(), torch.autocast(x.device.type, enabled=False):
                further = dict(zip(self._names, inputs, strict=True))
                output, finals = self._run(x, self._memory, further)
                out.copy_(output)
                for memory, final in zip(self._memory, finals, strict=True):
                    for name, value in memory.items():
                        value.copy_(final[name])
        finally:
            self._lock.release()
        self.steps += len(x)
        return 0

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise ConfigurationError(IN_USE)

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    @property
    def states(self) -> list[list[Tensor]]:
        """The memory of the states."""
        return [list(layer.values()) for layer in self._memory]
