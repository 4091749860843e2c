"""Copies of what changes while a module trains: its weights, the optimiser's moments, the random states."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from gatewise.errors import CheckpointError

Value = TypeVar("Value")


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """A detached copy of the module's state: name -> tensor, in the order of `state_dict`."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


@torch.no_grad()
def restore(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy a snapshot back into the module it was taken from, or one of the same shapes.

    Raises:
        CheckpointError: the names or shapes are others.
    """
    own = module.state_dict()
    check_shapes(weights, own)
    for name, tensor in own.items():
        tensor.copy_(weights[name])


def check_shapes(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """That two mappings have tensors of the same names and shapes. Raises `CheckpointError`."""
    for name in sorted(found.keys() | wanted.keys()):
        shapes = [tuple(of[name].shape) if name in of else "none" for of in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(f"the state of a run was altered: {name} has shape {shapes[0]}, expected {shapes[1]}")


def optimizer_state(optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """The moments of each parameter, as `<key>.<parameter>`; none of one that has not been stepped yet."""
    return {
        f"{key}.{name}": value
        for name, parameter in named.items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter], state: Mapping[str, Tensor]
) -> None:
    """Give the optimiser the moments that `optimizer_state` returned.

    Raises:
        CheckpointError: the names or shapes are others.
    """
    parts = {full: full.partition(".") for full in state}
    steps = {full: state[full].new_zeros(()) for full, (key, _, name) in parts.items() if key == "step"}
    check_shapes(state, {full: named[name] for full, (_, _, name) in parts.items() if name in named} | steps)
    fused = {id(p) for group in optimizer.param_groups if group.get("fused") for p in group["params"]}
    for full, value in state.items():
        key, _, name = parts[full]
        parameter = named[name]
        # The count of steps is on the CPU unless it is the fused kernel that reads it.
        device = parameter.device if key != "step" or id(parameter) in fused else value.device
        optimizer.state.setdefault(parameter, {})[key] = value.to(device, copy=True)


def random_states(devices: Iterable[int]) -> dict[str, Tensor]:
    """The states of torch's generators: of the CPU, and of the CUDA devices with these numbers."""
    return {"cpu": torch.get_rng_state()} | {f"cuda.{k}": torch.cuda.get_rng_state(k) for k in devices}


def restore_random(states: Mapping[str, Tensor]) -> None:
    """Set the generators to what `random_states` returned."""
    for name, state in states.items():
        if name == "cpu":
            torch.set_rng_state(state)
        else:
            torch.cuda.set_rng_state(state, int(name.removeprefix("cuda.")))


def on_devices(states: Mapping[str, Tensor], devices: Iterable[int]) -> dict[str, Tensor]:
    """States of generators for the CUDA devices with these numbers, whatever numbers they had where they were saved.

    Several workers have a device each, which are gathered under the number of the first one's.

    >>> saved = {"cpu": torch.ones(1), "cuda.0": torch.zeros(1)}
    >>> list(on_devices(saved, [3]))
    ['cpu', 'cuda.3']
    """
    cuda = sorted((name for name in states if name != "cpu"), key=lambda name: int(name.removeprefix("cuda.")))
    found = {name: state for name, state in states.items() if name == "cpu"}
    # A training that moves from GPUs to the CPU, or back, has generators that the other did not.
    return found | {f"cuda.{k}": states[name] for k, name in zip(devices, cuda, strict=False)}


def with_prefix(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """The values under longer names."""
    return {prefix + name: value for name, value in values.items()}


def under(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """The values whose names begin so, without that beginning.

    >>> under("best.", {"best.weight": 1, "losses": 2})
    {'weight': 1}
    """
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
