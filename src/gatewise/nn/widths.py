"""Sizes that a layer is made with, checked."""

from collections.abc import Mapping, Sequence

from gatewise.equations import Step
from gatewise.errors import ConfigurationError


def further_widths(steps: Sequence[Step], sizes: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Name and width of every input that the cells of a stack read besides x.

    Raises:
        ConfigurationError: two layers read an input in different widths.
    """
    found: dict[str, int] = {}
    for layer, (step, known) in enumerate(zip(steps, sizes, strict=True)):
        for name, leaf in step.inputs.items():
            width = known[leaf.width] if leaf.width is not None else 1
            if name != "x" and found.setdefault(name, width) != width:
                raise ConfigurationError(
                    f'{step.name} of layer {layer} reads the input "{name}" with {leaf.width} = {width} units, a layer '
                    f"below with {found[name]}: no input fits both; choose sizes that agree, or one layer"
                )
    return found


def check_widths(widths: object) -> None:
    """Fail unless `widths` gives sizes to widths that nothing else gives a size.

    Raises:
        ConfigurationError: it does not.
    """
    if widths is None:
        return
    if not isinstance(widths, Mapping):
        raise ConfigurationError(f"widths={widths!r} must be a mapping from symbolic widths to sizes")
    for name, size in widths.items():
        if name in ("X", "H"):
            argument = "input_size" if name == "X" else "hidden_size"
            raise ConfigurationError(f"widths: the size of {name} is {argument}; leave it out")
        check_size(f"widths[{name!r}]", size, least=1)


def check_size(name: str, value: object, least: int) -> None:
    """Fail unless `value` is a whole number of at least `least`.

    Raises:
        ConfigurationError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name}={value!r} must be a whole number of at least {least}")
