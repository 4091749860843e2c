"""A stack of layers that stays ready in the compiled core, to run step by step.

Legend: T steps, B batch, X inputs, O outputs, w the width of a vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gatewise.backends import cpu
from gatewise.backends.layer_scan import Scans
from gatewise.backends.plan import Plan, plan
from gatewise.errors import ConfigurationError

# The steps that a chunk of a sequence has at most: enough for the products before the loop to be efficient.
CHUNK = 62
# What a call of the core may come to besides its result (cpp/stream.h).
BUSY, CHANGED, UNREADABLE, UNKNOWN, NO_THREADS = range(1, 6)
IN_USE = "another thread is using this stream: give each thread one of its own, for instance a fork()"


@dataclass(frozen=True, eq=False)
class Matrices:
    """A stack's packed matrices; streams that were forked from one another share them.

    Attributes:
        scans: of each layer, one direction, which give out the layer's output alone.
        stored: of each layer the stored tensors in the order of the core's ports, contiguous (a copy where they are
            not).
        weights: how matrices are stored: "bf16", "int8", or None for as they are.
    """

    scans: tuple[Scans, ...]
    stored: tuple[tuple[Tensor, ...], ...]
    weights: str | None

    @cached_property
    def single(self) -> list[tuple[Plan, Any]]:
        """Of each layer the plan for single steps and its packed matrices."""
        return self._packed(stepwise=True)

    @cached_property
    def several(self) -> list[tuple[Plan, Any]]:
        """The same for several steps at a time."""
        return self._packed(stepwise=False)

    def _packed(self, stepwise: bool) -> list[tuple[Plan, Any]]:
        double = self.dtype == torch.float64
        plans = [
            plan(cpu.core, one.program.forward, one.sizes, double, one.places, stepwise=stepwise) for one in self.scans
        ]
        return [(made, cpu.packed(made, layer, self.weights)) for made, layer in zip(plans, self.stored, strict=True)]

    @property
    def dtype(self) -> torch.dtype:
        """Of what is computed."""
        return self.stored[0][0].dtype

    @property
    def bytes(self) -> int:
        """Of memory."""
        made = [part for name in ("single", "several") for part in self.__dict__.get(name, [])]
        return sum(packed.bytes for _, packed in made)


def matrices(scans: Sequence[Scans], stored: Sequence[Sequence[Tensor]], weights: str | None) -> Matrices:
    """The matrices of a stack; see `Matrices`."""
    tensors = tuple(tuple(tensor.detach().contiguous() for tensor in layer) for layer in stored)
    return Matrices(tuple(scans), tensors, weights)


class Stepper:
    """The states of B sequences in a stack of layers, and what advances them.

    Args:
        matrices: the packed matrices of the stack.
        batch: B.
        widths: of x, and by their names of the cells' further inputs, in the order in which `run` is given them.
        watched: tensors that must not change, each with the dictionary and the name under which it is found.
    """

    __slots__ = ("_core", "_names", "_several", "_slots", "matrices", "output", "step", "threads")

    def __init__(
        self,
        matrices: Matrices,
        batch: int,
        widths: Mapping[str, int],
        watched: Sequence[tuple[Mapping[str, Tensor | None], str, Tensor]],
    ) -> None:
        assert cpu.core is not None
        dtype = matrices.dtype
        self._names = tuple(widths)
        self._core: Any = cpu.core.Stream(batch, list(widths.values()), list(widths)[1:], dtype == torch.float64)
        self._several = False
        with torch.inference_mode(False):
            self._slots = [
                [torch.zeros(2, batch, width, dtype=dtype, device="cpu") for width in scans.state_widths]
                for scans in matrices.scans
            ]
        self.matrices = matrices
        self.threads = 1
        width = self._add(matrices.single, 1)
        # An inference tensor: autograd would keep it for a backward, which a later step would write over.
        with torch.inference_mode():
            self.output = torch.zeros(batch, width, dtype=dtype, device="cpu")
            flat = self.output[0] if batch == 1 else self.output
        self._core.give(self.output, flat, self.output.data_ptr(), width)
        for table, name, value in watched:
            self._core.follow(table, name, value)
        self.step = self._core.step

    def _add(self, layers: Sequence[tuple[Plan, Any]], most_steps: int) -> int:
        """Give the core the layers' plans, for runs of up to so many steps; the width of the last one's output."""
        width = 0
        for scans, stored, slots, (made, packed) in zip(
            self.matrices.scans, self.matrices.stored, self._slots, layers, strict=True
        ):
            (result,) = made.results
            width = scans.widths[result.width]
            batch = slots[0].shape[1]
            threads, by_units = cpu.shares([made], batch, batch)
            self._core.add(
                most_steps,
                packed,
                [self._names.index(str(node.attr)) for node in made.streams],
                [tensor.data_ptr() for tensor in stored[: made.parameters]],
                [half.data_ptr() for slot in slots for half in slot],
                list(scans.state_widths),
                width,
                threads,
                by_units,
                made.work,
            )
            self.threads = max(self.threads, threads)
        return width

    def run(self, x: Tensor, inputs: Sequence[Tensor], out: Tensor) -> int:
        """Advance all sequences by T steps.

        Args:
            x: `[T, B, X]`.
            inputs: the further ones, `[T, B, w]`.
            out: `[T, B, O]`, which is written. All of one dtype, units side by side.

        Returns:
            0, or what it came to.
        """
        if x.shape[0] > 1 and not self._several:
            self._add(self.matrices.several, CHUNK)
            self._several = True
        ports = [
            number for tensor in (x, *inputs, out) for number in (tensor.data_ptr(), tensor.stride(0), tensor.stride(1))
        ]
        return self._core.run(x.shape[0], ports)

    def __enter__(self) -> None:
        """Begin to read or write states.

        Raises:
            ConfigurationError: a call is under way.
        """
        if not self._core.enter():
            raise ConfigurationError(IN_USE)

    def __exit__(self, *error: object) -> None:
        self._core.leave()

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self._core.steps()

    @property
    def states(self) -> list[list[Tensor]]:
        """The memory of the states `[B, w]` of each layer, in the order of its cell; other memory after each step."""
        side = self._core.at()
        return [[slot[side] for slot in slots] for slots in self._slots]
