"""Streams: sequences that come one step, or a few, at a time.

Legend: T steps, B batch, X inputs, O outputs of the last layer, w the width of a vector, L layers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from gatewise.backends import Choice
from gatewise.backends.layer_scan import Scans
from gatewise.backends.stepper import BUSY, IN_USE, NO_THREADS, Matrices, Stepper, matrices
from gatewise.errors import ConfigurationError, DataError, nearest
from gatewise.nn.reference_stepper import ReferenceStepper, Run, States
from gatewise.nn.stream_forms import Forms, written


@dataclass(frozen=True, eq=False)
class Stack:
    """What a stream knows of its layer, as it was at one moment.

    Attributes:
        title: how the layer prints.
        batch: B.
        weights: how matrices are stored: "bf16", "int8", or None (as is "fp32") for as they are.
        choice: of the backend.
        example: a tensor of the parameters' dtype and device.
        features: X.
        outputs: O.
        batch_first: sequences are `[B, T, ...]`.
        inputs: names and widths of the cells' inputs besides x.
        scans: for the compiled core each layer's scan and stored tensors.
        initial: of each layer the states `[B, w]` before the first step.
        watched: tensors on which all this depends, with the dictionary and the name under which each is found.
        run: outputs `[T, B, O]` and final states in torch operations, of x, the states before, and the further inputs.
        take: from the layer's own form of states, for an input `[T, B, X]`, to those of each layer `[B, w]`, checked.
        hand: the way back.
    """

    title: str
    batch: int
    weights: str | None
    choice: Choice
    example: Tensor
    features: int
    outputs: int
    batch_first: bool
    inputs: Mapping[str, int]
    scans: Sequence[tuple[Scans, Sequence[Tensor]]]
    initial: States
    watched: Sequence[tuple[Mapping[str, Tensor | None], str, Tensor]]
    run: Run
    take: Callable[[Any, Tensor], States]
    hand: Callable[[States], Any]


class Stream:
    """A layer that is given its sequences one step, or a few, at a time, and keeps the states in between.

    Made by a layer's `stream()`. It computes what the layer computes in evaluation mode: on the `cpu` backend to the
    last bit what the layer returns for the whole sequence, however that is cut. No gradients are recorded. The weights
    are packed when the stream is made; a call after they have changed fails, until `refresh()` packs them anew. (As by
    autograd, what is written through a parameter's `.data` goes unnoticed.)

    One thread at a time may use a stream; several streams may be used at the same time.

    Attributes:
        batch: B.
        backend: "cpu", or "reference" where the compiled core cannot run the layer.
        weights: how matrices are stored: "bf16", "int8", or None (as is "fp32") for as they are.

    >>> from gatewise import GRU
    >>> layer = GRU(3, 5)
    >>> stream = layer.stream(batch=2)
    >>> h = stream.step(torch.ones(2, 3))
    >>> h.shape, bool((h == stream.state[0]).all()), stream.steps.tolist()
    (torch.Size([2, 5]), True, [1, 1])
    >>> other = stream.fork()
    >>> both = stream.feed(torch.ones(4, 2, 3)), torch.stack([other.step(torch.ones(2, 3)).clone() for _ in range(4)])
    >>> torch.allclose(*both)
    True
    """

    def __init__(self, make: Callable[[], Stack]) -> None:
        self._make = make
        self._take_over(make(), None)
        self._begun = torch.zeros(self.batch, dtype=torch.int64)  # the engine's steps when each sequence began
        self.reset()

    def _take_over(self, stack: Stack, packed: Matrices | None) -> None:
        """The layer as it is at this moment, perhaps with its matrices packed before."""
        self._stack = stack
        self._forms = Forms(
            stack.title,
            stack.batch,
            stack.batch_first,
            {"x": stack.features, **stack.inputs},
            stack.outputs,
            stack.example,
        )
        self._seen = _seen(stack)
        self._engine = _engine(stack, packed)
        self._step = self._engine.step

    def step(self, x: Tensor, *, out: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """Advance all sequences by one step.

        Args:
            x: `[B, X]`; for B = 1 also `[X]`.
            out: where the output is written, `[B, O]` (`[O]` for x `[X]`), units side by side.
            inputs: the cells' further inputs by name, `[B, w]` (`[w]`).

        Returns:
            The last layer's output `[B, O]` (`[O]`): `out`, or the stream's own tensor, which is the same at every step
            and is written over by the next one: `clone()` what is to be kept. That one is an inference tensor, which
            torch refuses to save for a backward.

        Raises:
            DataError: x, `out` or a further input does not fit.
            ConfigurationError: the layer's parameters have changed, or another thread is using the stream.
        """
        found = self._step(x, inputs or None, out)
        if not isinstance(found, int):
            return found if out is None else written(found)
        self._check_fresh()
        form = self._forms.of(x, over_time=False)
        if out is not None:
            form.check_out(out)
        target = self._engine.output.view(form.shape(self._stack.outputs)) if out is None else out
        self._run(*form.inputs(x, inputs, target), form.inner(target))
        return target if out is None else written(out)

    def feed(self, x: Tensor, *, out: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """Advance all sequences by T steps.

        Args:
            x: `[T, B, X]` (`[B, T, X]` of a layer with `batch_first`); for B = 1 also `[T, X]`. T may be 0.
            out: where the outputs are written, `[T, B, O]` in the form of x.
            inputs: the cells' further inputs by name, in the form of x, or `[B, w]` where they do not change over time.

        Returns:
            The last layer's outputs `[T, B, O]` in the form of x: `out`, or a new tensor.

        Raises:
            DataError: x, `out` or a further input does not fit.
            ConfigurationError: the layer's parameters have changed, or another thread is using the stream.
        """
        self._check_fresh()
        form = self._forms.of(x, over_time=True)
        if out is not None:
            form.check_out(out)
        given, further = form.inputs(x, inputs, out)
        target = given.new_empty(form.shape(self._stack.outputs)) if out is None else out
        if form.steps > 0:
            self._run(given, further, form.inner(target))
        return target if out is None else written(out)

    @property
    def batch(self) -> int:
        """B."""
        return self._stack.batch

    @property
    def backend(self) -> str:
        """The backend that runs the steps."""
        return self._stack.choice.backend

    @property
    def weights(self) -> str | None:
        """How matrices are stored."""
        return self._stack.weights

    @property
    def steps(self) -> Tensor:
        """How many steps each sequence has had since it began, `[B]`."""
        return self._engine.steps - self._begun

    @property
    def state(self) -> Any:
        """The states after the last step, a copy in the layer's own form: what a call of the layer returns as the last.

        Setting it continues from other states, given in that form.

        Raises:
            DataError: states that do not fit.
        """
        with self._engine:
            states = [{name: value.clone() for name, value in layer.items()} for layer in self._states()]
        return self._stack.hand(states)

    @state.setter
    def state(self, states: Any) -> None:
        example = self._stack.example
        self._write(self._stack.take(states, example.new_empty(1, self.batch, 0)))

    def reset(self, rows: Sequence[int] | Tensor | None = None) -> None:
        """Begin sequences anew, at the layer's initial states.

        Args:
            rows: which ones: numbers from 0 to B - 1, or a boolean for each; by default all.

        Raises:
            DataError: no such sequences.
        """
        chosen = self._rows(rows)
        with self._engine:
            for memory, initial in zip(self._states(), self._stack.initial, strict=True):
                for name, value in memory.items():
                    value[chosen] = initial[name][chosen]
            self._begun = self._begun.index_fill(0, chosen.cpu(), self._engine.steps)

    def fork(self) -> "Stream":
        """Another stream that goes on from the same states, and shares the packed weights.

        Raises:
            ConfigurationError: the layer's parameters have changed, or another thread is using the stream.
        """
        self._check_fresh()
        new = object.__new__(type(self))
        new._make = self._make
        new._take_over(self._stack, self._engine.matrices)
        new.load_state_dict(self.state_dict())
        return new

    def refresh(self) -> Self:
        """Take over the layer's parameters as they are now; states go on as they were. Returns the stream itself.

        Raises:
            ConfigurationError: another thread is using the stream, or the layer can no longer be run.
        """
        stack, saved = self._make(), self.state_dict()
        self._take_over(stack, None)
        self.load_state_dict(saved)
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """All that a stream of the same layer needs to go on exactly: each layer's states `[B, w]` and the steps `[B]`.

        Copies, by names such as `c_l0`; `safetensors` can save them.
        """
        with self._engine:
            found = {
                f"{name}_l{layer}": value.clone()
                for layer, states in enumerate(self._states())
                for name, value in states.items()
            }
            return {**found, "steps": self.steps}

    def load_state_dict(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            DataError: a name is missing or too many, or a tensor does not fit.
        """
        layers = self._states()
        wanted = {f"{name}_l{layer}": value for layer, states in enumerate(layers) for name, value in states.items()}
        wanted["steps"] = torch.zeros(self.batch, dtype=torch.int64)
        for name in saved:
            if name not in wanted:
                raise DataError(f'a stream of {self._stack.title} has no state "{name}"; {nearest(name, wanted)}')
        for name, value in wanted.items():
            came = saved.get(name)
            if came is None or came.shape != value.shape or came.dtype != value.dtype:
                what = "nothing" if came is None else f"{list(came.shape)} of {came.dtype}"
                raise DataError(f'expected the state "{name}" to be {list(value.shape)} of {value.dtype}, got {what}')
        self._write([{name: saved[f"{name}_l{k}"] for name in states} for k, states in enumerate(layers)])
        self._begun = self._engine.steps - saved["steps"].cpu()

    def explain(self) -> str:
        """What runs the steps, and why nothing else does.

        >>> from gatewise import LSTM
        >>> print(LSTM(3, 5).stream(weights="bf16").explain())
        Stream(LSTM(3, 5), weights='bf16')
        backend: cpu (the first of "auto" that can)
          cpu: runs the call
          reference: could run the call; it comes later in the order of "auto"
        1 thread, ... KiB of packed matrices
        """
        lines = [repr(self), str(self._stack.choice)]
        if self._engine.matrices is not None:
            threads, kib = self._engine.threads, self._engine.matrices.bytes / 1024
            lines.append(f"{threads} thread{'s' if threads > 1 else ''}, {kib:.1f} KiB of packed matrices")
        return "\n".join(lines)

    def __repr__(self) -> str:
        stack = self._stack
        shown = {"batch": (stack.batch, 1), "weights": (stack.weights, None), "backend": (self.backend, "cpu")}
        given = [f"{name}={value!r}" for name, (value, default) in shown.items() if value != default]
        return f"Stream({', '.join([stack.title, *given])})"

    def _check_fresh(self) -> None:
        changed = _changed(self._seen)
        if changed is not None:
            raise ConfigurationError(
                f"{changed} of {self._stack.title} has changed since the stream took it over: call refresh() to go on "
                "with the layer as it is now"
            )

    def _rows(self, rows: Sequence[int] | Tensor | None) -> Tensor:
        if rows is None:
            return torch.arange(self.batch)
        given = torch.as_tensor(rows)
        if given.dtype == torch.bool and list(given.shape) == [self.batch]:
            return given.nonzero().flatten()
        whole = given.dim() == 1 and not given.dtype.is_floating_point and given.dtype != torch.bool
        if given.numel() > 0 and (not whole or not bool(((given >= 0) & (given < self.batch)).all())):
            raise DataError(
                f"expected rows to be numbers from 0 to {self.batch - 1}, or a boolean for each of the {self.batch} "
                f"sequences; got {rows!r}"
            )
        return given.to(torch.int64)

    def _run(self, x: Tensor, inputs: Sequence[Tensor], out: Tensor) -> None:
        """Advance all sequences by the steps of x `[T, B, X]`, into `out` `[T, B, O]`."""
        outcome = self._engine.run(x, inputs, out)
        if outcome == BUSY:
            raise ConfigurationError(IN_USE)
        if outcome == NO_THREADS:
            raise ConfigurationError(
                "there are fewer threads than the stream was made for: call refresh() after torch.set_num_threads, or "
                "in a process that was forked"
            )
        if outcome != 0:
            raise ConfigurationError(
                "the equations have an operation that this build of the compiled core does not know"
            )

    def _states(self) -> States:
        """The memory of each layer's states `[B, w]`."""
        return [
            dict(zip(initial, states, strict=True))
            for initial, states in zip(self._stack.initial, self._engine.states, strict=True)
        ]

    def _write(self, states: States) -> None:
        with self._engine, torch.no_grad():
            for memory, layer in zip(self._states(), states, strict=True):
                for name, value in memory.items():
                    value.copy_(layer[name])


def _engine(stack: Stack, packed: Matrices | None) -> Stepper | ReferenceStepper:
    """What runs a stack's steps."""
    if stack.choice.backend != "cpu":
        return ReferenceStepper(stack.run, stack.initial, stack.outputs, list(stack.inputs))
    if packed is None:
        packed = matrices([scans for scans, _ in stack.scans], [stored for _, stored in stack.scans], stack.weights)
    return Stepper(packed, stack.batch, {"x": stack.features, **stack.inputs}, stack.watched)


# A tensor that is watched: where it is found, its address, and how often it had been written to.
_Seen = tuple[Mapping[str, Tensor | None], str, Tensor, int, int]


def _seen(stack: Stack) -> list[_Seen]:
    return [(table, name, tensor, tensor.data_ptr(), _writes(tensor)) for table, name, tensor in stack.watched]


def _changed(seen: Sequence[_Seen]) -> str | None:
    """The name of a tensor that has been replaced or written to since; None if none has."""
    for table, name, tensor, address, writes in seen:
        if table.get(name) is not tensor or tensor.data_ptr() != address or _writes(tensor) != writes:
            return name
    return None


def _writes(tensor: Tensor) -> int:
    """How often a tensor has been written to, where torch counts it."""
    return 0 if tensor.is_inference() else tensor._version
