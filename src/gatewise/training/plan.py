"""What a fit would do, without training: its first network, what that takes of memory and time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from gatewise.training.interrupt import Interrupt
from gatewise.training.journal import Journal
from gatewise.training.objective import Objective
from gatewise.training.options import TrainingOptions

STEPS = 3  # that are timed, after one that is not
COPIES = 6  # of the weights: themselves, gradients, two moments of AdamW, the best so far, those just validated


@dataclass(frozen=True)
class Layer:
    """A layer with parameters of its own: its name (empty: the network itself), class, output shape on a batch (None:
    not called as a whole), and shapes of its parameters.
    """

    name: str
    kind: str
    output: tuple[int, ...] | None
    parameters: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Plan:
    """A fit's first run.

    Attributes:
        layers: of its network, in the order they are first called.
        parameters: how many numbers are trained.
        max_epochs: at most.
        batches: of an epoch.
        state_bytes: of weights, gradients, moments and the copies that are kept.
        batch_bytes: of what the backward of the largest batch that was tried keeps.
        seconds_per_epoch: an estimate: a few steps, each with its gradient, taken for all, and one validation.
    """

    layers: tuple[Layer, ...]
    parameters: int
    max_epochs: int
    batches: int
    state_bytes: int
    batch_bytes: int
    seconds_per_epoch: float


def plan_of(fit: Callable[[Journal], object]) -> Plan:
    """The plan of the first run of a fit, which is not begun.

    Args:
        fit: the fit, given its journal; it ends where its first run would begin.

    >>> from gatewise.training import train
    >>> class Mean:
    ...     batches_per_epoch = 5
    ...     def __init__(self): self.module = nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 1))
    ...     def batches(self, epoch): yield from torch.ones(5, 4, 1)
    ...     def loss(self, batch): return (self.module(batch) - 1).square().mean()
    ...     def validate(self): return {}
    ...     def describe(self, batch): return "ones"
    >>> found = plan_of(lambda journal: train(Mean(), TrainingOptions(max_epochs=9), journal=journal))
    >>> found.parameters, found.batches, found.layers[1].output, found.layers[1].parameters
    (10, 5, (4, 1), {'weight': (1, 3), 'bias': (1,)})
    """
    try:
        fit(_Planning(Interrupt()))
    except _Planned as planned:
        return planned.plan
    raise AssertionError("a fit has a run")


class _Planned(Exception):
    """Ends the fit where its first run would begin."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan


class _Planning(Journal):
    def look(self, objective: Objective[Any], options: TrainingOptions) -> None:
        raise _Planned(_measured(objective, options))


def _measured(objective: Objective[Any], options: TrainingOptions) -> Plan:
    module = objective.module.train()
    trained = [p for p in module.parameters() if p.requires_grad]
    batches = list(islice(objective.batches(1), 1 + STEPS))
    largest, seconds = 0, []
    own = {name: tuple(p.shape) for name, p in module.named_parameters(recurse=False)}
    with _layers(module) as layers:
        for batch in batches:
            kept: dict[int, int] = {}
            # Hooks cost time, so that the batch is looked at in one pass and timed in another.
            with torch.autograd.graph.saved_tensors_hooks(_counting(kept), _same):
                objective.loss(batch)
            largest = max(largest, sum(kept.values()))
            began = time.perf_counter()
            objective.loss(batch).backward()
            seconds.append(time.perf_counter() - began)
            module.zero_grad(set_to_none=True)
    if own:
        layers.append(Layer("", type(module).__name__, None, own))
    timed = seconds[1:] or seconds
    module.eval()
    with torch.no_grad():
        began = time.perf_counter()
        objective.validate()
        validation = time.perf_counter() - began
    copies = COPIES + bool(options.average_decay or options.swa_from)
    return Plan(
        layers=tuple(layers),
        parameters=sum(p.numel() for p in trained),
        max_epochs=options.max_epochs,
        batches=objective.batches_per_epoch,
        state_bytes=copies * sum(p.numel() * p.element_size() for p in trained),
        batch_bytes=largest,
        seconds_per_epoch=objective.batches_per_epoch * sum(timed) / len(timed) + validation,
    )


@contextmanager
def _layers(module: nn.Module) -> Iterator[list[Layer]]:
    """Within, layers are listed as they are first called."""
    found: dict[str, Layer] = {}
    listed: list[Layer] = []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            if name not in found:
                first = output[0] if isinstance(output, tuple) else output
                shapes = {key: tuple(p.shape) for key, p in layer.named_parameters(recurse=False)}
                found[name] = Layer(name, type(layer).__name__, tuple(first.shape), shapes)
                listed.append(found[name])

        return hook

    handles = [
        layer.register_forward_hook(note(name))
        for name, layer in module.named_modules()
        if name and next(layer.parameters(recurse=False), None) is not None
    ]
    try:
        yield listed
    finally:
        for handle in handles:
            handle.remove()


def _counting(kept: dict[int, int]) -> Callable[[Tensor], Tensor]:
    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    return count


def _same(tensor: Tensor) -> Tensor:
    return tensor
