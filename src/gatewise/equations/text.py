"""A step as text, and back: what a saved or exported model carries in place of code."""

import json
from functools import lru_cache
from typing import Any

from gatewise.equations import rows
from gatewise.equations.expr import LEAVES, PRODUCTS, ROWS, Expr, intern, pointwise, topological
from gatewise.equations.ops import TABLE
from gatewise.equations.step import Parameter, Step, parameters
from gatewise.errors import CellError

FORMAT = 1


def dumps(step: Step) -> str:
    """The equations of a step as one line of JSON; equal steps give equal text.

    >>> from gatewise.cells import LSTM
    >>> step = LSTM().trace()
    >>> loads(dumps(step)).updates["h"] is step.updates["h"]
    True
    """
    order = topological([*step.inputs.values(), *step.states.values(), *step.observed.values(), *step.updates.values()])
    number = {node: k for k, node in enumerate(order)}
    content = {
        "format": FORMAT,
        "name": step.name,
        "nodes": [[node.op, [number[arg] for arg in node.args], _attribute(node.attr), node.width] for node in order],
        "inputs": {name: number[leaf] for name, leaf in step.inputs.items()},
        "states": {name: number[leaf] for name, leaf in step.states.items()},
        "updates": {name: number[node] for name, node in step.updates.items()},
        "observed": {name: number[node] for name, node in step.observed.items()},
        "parameters": {name: list(parameter.shape) for name, parameter in step.parameters.items()},
        "initial": {name: _attribute(value) for name, value in step.initial.items()},
        "output": step.output,
        "undifferentiated": sorted(step.undifferentiated),
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=256)
def loads(text: str) -> Step:
    """The step that `dumps` wrote.

    Raises:
        CellError: the text is not that of a step, or of a newer format.
    """
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise CellError(
                f"the equations are in format {content['format']}, this version of gatewise reads format {FORMAT}; "
                "use the version that wrote them"
            )
        nodes: list[Expr] = []
        for op, args, attribute, width in content["nodes"]:
            nodes.append(_node(op, [_at(nodes, arg) for arg in args], _value(attribute), width))
        named = {
            key: {name: _at(nodes, number) for name, number in content[key].items()}
            for key in ("inputs", "states", "updates", "observed")
        }
        step = Step(
            name=content["name"],
            **named,
            parameters={name: Parameter(name, tuple(shape)) for name, shape in content["parameters"].items()},
            initial={name: _value(value) for name, value in content["initial"].items()},
            output=content["output"],
            undifferentiated=frozenset(content["undifferentiated"]),
        )
    except CellError:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise CellError(f"the text is not a step's equations as gatewise writes them ({error!r})") from error
    _check(step)
    return step


def _at(nodes: list[Expr], number: object) -> Expr:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(nodes):
        raise IndexError(f"{number!r} is the number of no node before it")
    return nodes[number]


def _node(op: str, args: list[Expr], attribute: str | float | int | None, width: str | None) -> Expr:
    """One node, if the language has it."""
    if op not in LEAVES and op not in PRODUCTS and op not in ROWS and op not in TABLE:
        raise CellError(f'the equations use the operation "{op}", which this version of gatewise does not know')
    arity = 0 if op in LEAVES else 1 if op in PRODUCTS else (rows.TABLE if op in ROWS else TABLE)[op].arity
    if arity != len(args) and not (op in ROWS and arity == 0 and args):
        raise CellError(f'the equations give the operation "{op}" {len(args)} operands instead of {arity or "some"}')
    if op in TABLE:
        node = pointwise(op, *args)
        fits = attribute is None and width == node.width
        return node if fits else _refuse(op)
    named = isinstance(attribute, str)
    fits = width is None or isinstance(width, str)
    if op == "constant":
        fits = isinstance(attribute, float) and attribute == attribute and width is None
    elif op in LEAVES:
        fits = fits and named and not (op == "state" and width is None)
    elif op in PRODUCTS:
        fits = named and isinstance(width, str) and args[0].width is not None
    elif op == "normalise":
        fits = type(attribute) is int and 0 <= attribute < len(args) and {arg.width for arg in args} == {width}
    else:
        fits = attribute is None and (width is None) == (op == "total") and (args[0].width is None) == (op == "spread")
    return intern(op, tuple(args), attribute, width) if fits else _refuse(op)


def _refuse(op: str) -> Expr:
    raise CellError(f'the equations have the operation "{op}" with a width, a name or a value that does not fit')


def _check(step: Step) -> None:
    """Whether the parts of a step fit one another, as `trace` would have made them."""
    order = topological([*step.observed.values(), *step.updates.values()])
    leaves = {*step.inputs.values(), *step.states.values()}
    fitting = (
        all(leaf.op == "input" and leaf.attr == name for name, leaf in step.inputs.items())
        and all(leaf.op == "state" and leaf.attr == name for name, leaf in step.states.items())
        and all(node in leaves for node in order if node.op in ("input", "state"))
        and step.updates.keys() == step.states.keys() == step.initial.keys()
        and all(update.width == step.states[name].width for name, update in step.updates.items())
        and all(value == "learned" or isinstance(value, (int, float)) for value in step.initial.values())
        and step.parameters == parameters(step.name, order)
        and step.output in step.states
        and step.undifferentiated <= step.inputs.keys()
    )
    if not fitting:
        raise CellError(f"the equations of {step.name} do not fit its inputs, states or parameters")


def _attribute(value: object) -> Any:
    # JSON has no infinities, and takes 2.0 for 2: numbers with a fraction travel in hexadecimal.
    return {"float": value.hex()} if isinstance(value, float) else value


def _value(attribute: Any) -> Any:
    if isinstance(attribute, dict):
        return float.fromhex(attribute["float"])
    return attribute
