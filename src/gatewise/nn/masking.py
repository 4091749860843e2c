"""The masks of training, put where a layer's options ask for them.

Legend: T steps, B batch, w the width of a vector.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from gatewise.backends.scan import Prepared
from gatewise.nn.masks import Draw
from gatewise.nn.variants import Options

# What a mask is for, within one layer and direction: the stream of random numbers it takes.
STREAMS = 64
BETWEEN, CANDIDATE, INPUT, OUTPUT, ZONEOUT, WEIGHT = 0, 1, 2, 3, 4, 32


def masked(
    chosen: Options,
    draw: Draw,
    first: int,
    prepared: Prepared,
    sizes: Mapping[str, int],
    given: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    matrices: Sequence[str],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Inputs and parameters with the masks of training: drawn for the step's mask inputs, applied to the others.

    Args:
        chosen: the layer's options.
        draw: where the random numbers come from.
        first: the first of the streams of this layer and direction.
        prepared: the step, whose inputs that begin with `@` are masks.
        sizes: what symbolic widths stand for.
        given: the cell's inputs `[T, B, w]`.
        parameters: the cell's parameters.
        matrices: the names of those that are multiplied with a state.
    """
    x = given["x"]
    given, parameters = dict(given), dict(parameters)
    steps, batch = x.shape[0], x.shape[1]
    rates = dict(chosen.zoneout)
    if chosen.variational_dropout > 0:
        rate = chosen.variational_dropout
        given["x"] = x * draw.still(first + INPUT, x.shape[2], rate, x, scale=True)
    for name, width in prepared.inputs:
        kind, _, target = name.partition("_")
        if kind == "@zoneout":
            stream = first + ZONEOUT + prepared.states.index(target)
            given[name] = draw.moving(stream, steps, sizes[str(width)], rates[target], x)
        elif kind == "@keep":
            rate = chosen.recurrent_dropout
            given[name] = draw.moving(first + CANDIDATE, steps, sizes[str(width)], rate, x, scale=True)
        elif kind == "@variational":
            rate = chosen.variational_dropout
            mask = draw.still(first + OUTPUT, sizes[str(width)], rate, x, scale=True)
            given[name] = mask.expand(steps, batch, -1)
    if chosen.weight_dropout > 0:
        rate = chosen.weight_dropout
        for k, name in enumerate(matrices):
            weight = parameters[name]
            parameters[name] = weight * draw.of_weight(first + WEIGHT + k, rate, weight, scale=True)
    return given, parameters
