"""Where a number that is not finite came from."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def first_layer(module: nn.Module, forward: Callable[[], Any]) -> str:
    """Runs `forward` once more and says which layer of `module` is the first to put out what is not finite.

    Returns:
        A sentence; of the largest weight where every layer's output is finite.

    >>> layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    >>> _ = layers[1].bias.data.fill_(torch.inf)
    >>> first_layer(layers, lambda: layers(torch.ones(3, 2)))
    ' The first layer whose output is not finite is "1" (Linear).'
    """
    found: list[str] = []

    def look(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            if not found and not all(_finite(output)):
                at = f'"{name}" ({type(layer).__name__})'
                if all(_finite(inputs)):
                    found.append(f" The first layer whose output is not finite is {at}.")
                else:
                    found.append(f" What layer {at} was given is not finite.")

        return hook

    handles = [layer.register_forward_hook(look(name)) for name, layer in module.named_modules() if name]
    try:
        with torch.no_grad():
            forward()
    finally:
        for handle in handles:
            handle.remove()
    if found:
        return found[0]
    largest = {name: float(p.detach().abs().max()) for name, p in module.named_parameters() if p.numel()}
    name = max(largest, key=lambda name: largest[name])
    return f" Every layer's output is finite; the largest weight is in {name} ({largest[name]:.3g})."


def _finite(value: Any) -> Iterator[bool]:
    if isinstance(value, Tensor):
        yield not value.is_floating_point() or bool(value.isfinite().all())
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _finite(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _finite(part)
