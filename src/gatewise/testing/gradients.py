"""Whether the derived gradients are right, and finite where operands tie or vanish.

Legend: T steps, B batch, w the width of a vector.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from gatewise.backends.operations import TORCH, row
from gatewise.backends.operators import forward, program_text
from gatewise.backends.scan import scan
from gatewise.equations import Expr
from gatewise.equations.expr import PRODUCTS, ROWS, topological
from gatewise.equations.formula import excerpt
from gatewise.equations.ops import TABLE
from gatewise.errors import CellError
from gatewise.testing.trial import Trial

OPAQUE = frozenset({"detach", "clip_grad"})  # their gradient is not the slope of their value, by intent
CLOSE = 1e-9
# Where an operation's slope is infinite or undefined, and how to stay away from there.
REMEDIES = {
    "sqrt": "sqrt(maximum({0}, 1e-12)), or sqrt(where(condition, {0}, 1))",
    "log": "log(maximum({0}, 1e-12)), or log(where(condition, {0}, 1))",
    "log1p": "log1p(where(condition, {0}, 0))",
    "div": "{0} / where(condition, {1}, 1)",
}


def check_gradients(trial: Trial) -> str:
    """First and second derivatives of states and observed values with respect to everything, in float64.

    Raises:
        CellError: a derivative is wrong.
    """
    names, leaves, function = _as_function(trial)
    order = topological([*trial.step.observed.values(), *trial.step.updates.values()])
    opaque = sorted({node.op for node in order if node.op in OPAQUE})
    _equal_autograd(trial, names, leaves, function)
    if opaque:
        return f"equal torch's autograd (no finite differences: {' and '.join(opaque)} is not the slope by intent)"
    for what, check in (("first", torch.autograd.gradcheck), ("second", torch.autograd.gradgradcheck)):
        try:
            check(function, leaves, fast_mode=True, rtol=1e-4, atol=1e-6)
        except RuntimeError as error:
            raise CellError(
                f"{trial.name}: the {what} derivatives with respect to {', '.join(names)} (in this order) are not "
                f"those of finite differences: {str(error).strip().splitlines()[0]}"
            ) from error
    return "first and second derivatives equal finite differences, and torch's autograd"


def check_finite(trial: Trial) -> str:
    """Gradients at points where operands are 0 or equal: zeros, the numbers in the equations, and parameters at 0.

    States start as declared. Parameters that the cell starts by itself (`Cell.start`) keep their values, inputs that
    the caller draws as well.

    Raises:
        CellError: a gradient is infinite or NaN; the message names the expression at fault.
    """
    order = topological([*trial.step.observed.values(), *trial.step.updates.values()])
    numbers = {float(node.attr) for node in order if node.op == "constant" and isinstance(node.attr, float)}
    values = sorted({0.0, *(number for number in numbers if abs(number) < 1e6)})
    kept = trial.cell.start()
    for value in values:
        inputs = {
            name: tensor[:2] if name in trial.drawn else torch.full_like(tensor[:2], value)
            for name, tensor in trial.inputs.items()
        }
        for zero in (True, False):
            parameters = {
                name: torch.zeros_like(tensor) if zero and name not in kept and not name.startswith("gain_") else tensor
                for name, tensor in trial.parameters.items()
            }
            where = f"all inputs {value:g}, states as they start" + (", parameters 0" if zero else "")
            _finite(trial, inputs, parameters, where)
    return f"finite where inputs are {', '.join(f'{value:g}' for value in values)}, with parameters drawn and 0"


def _finite(trial: Trial, inputs: dict[str, Tensor], parameters: dict[str, Tensor], where: str) -> None:
    step = trial.step
    leaves = {
        **{
            ("input", name): value.clone().requires_grad_(name not in step.undifferentiated)
            for name, value in inputs.items()
        },
        **{("parameter", name): value.clone().requires_grad_() for name, value in parameters.items()},
        **{("state", name): value.clone().requires_grad_() for name, value in trial.initial().items()},
    }

    def of(kind: str) -> dict[str, Tensor]:
        return {name: value for (here, name), value in leaves.items() if here == kind}

    emit = list(dict.fromkeys([*step.states, *step.observed]))
    outputs, final = scan(step, of("input"), of("parameter"), of("state"), emit=emit)
    loss = torch.stack([value.sum() for value in (*outputs.values(), *final.values())]).sum()
    wanted = {key: leaf for key, leaf in leaves.items() if leaf.requires_grad}
    gradients = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
    for (kind, name), gradient in zip(wanted, gradients, strict=True):
        if gradient is not None and not gradient.isfinite().all():
            what = "NaN" if gradient.isnan().any() else "infinite"
            raise CellError(
                f"{trial.name}: the gradient of the {kind} {name} is {what} at this point: {where}. "
                + culprit(trial, inputs, parameters)
            )


def culprit(trial: Trial, inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> str:
    """The first operation whose value or slope is not finite although its operands are, over the steps of a trial."""
    step = trial.step
    roots = [*step.observed.values(), *step.updates.values()]
    states = trial.initial()
    for t in range(next(iter(inputs.values())).shape[0]):
        values: dict[Expr, Tensor] = {leaf: inputs[name][t] for name, leaf in step.inputs.items()}
        values |= {leaf: states[name] for name, leaf in step.states.items()}
        batch = next(iter(states.values())).shape[0]
        for node in topological(roots):
            if node in values:
                continue
            arguments = [values[arg] for arg in node.args]
            if isinstance(node.attr, float):
                values[node] = torch.full((batch, 1), node.attr, dtype=torch.float64)
            elif node.op == "parameter":
                width = 1 if node.width is None else trial.sizes[node.width]
                values[node] = parameters[str(node.attr)].expand(batch, width)
            elif node.op in PRODUCTS:
                values[node] = arguments[0] @ parameters[str(node.attr)].t()
            elif node.op in ROWS:
                values[node] = row(node, arguments, trial.sizes)
            else:
                arguments = torch.broadcast_tensors(*arguments)
                operands = [argument.clone().requires_grad_() for argument in arguments]
                result = TORCH[node.op](*operands)
                fault = _fault(node, operands, result)
                if fault is not None:
                    return fault
                values[node] = result.detach()
        states = {name: values[update] for name, update in step.updates.items()}
    return "No single operation is at fault: a product of several derivatives overflows."


def _fault(node: Expr, operands: Sequence[Tensor], result: Tensor) -> str | None:
    """What is wrong with one operation whose operands are finite; None if nothing is, or they are not."""
    finite = torch.stack([operand.detach().isfinite() for operand in operands]).all(0)
    advice = REMEDIES.get(node.op, "where(condition, {0}, 0) in place of {0}")
    advice = advice.format(*(excerpt(arg) for arg in node.args))

    def at(bad: Tensor) -> str:
        return " and ".join(
            f"`{excerpt(arg)}` is {float(operand.detach()[bad][0]):g}"
            for arg, operand in zip(node.args, operands, strict=True)
            if arg.op != "constant"
        )

    bad = ~result.detach().isfinite() & finite
    if bad.any():
        value = float(result.detach()[bad][0])
        return f"`{excerpt(node)}` is {value:g} where {at(bad)}: keep its operands from there, for instance {advice}."
    if not result.requires_grad:
        return None
    slopes = torch.autograd.grad(result.sum(), operands, materialize_grads=True)
    rules = TABLE[node.op].derivative(node, node)
    for slope, rule in zip(slopes, rules, strict=True):
        bad = ~slope.isfinite() & finite
        if rule is not None and bad.any():
            return (
                f"The derivative of `{excerpt(node)}` is not finite where {at(bad)}. A where() around it does not "
                "help, since 0 times infinity is NaN: choose the operand before the operation reads it, for instance "
                f"{advice}."
            )
    return None


def _as_function(trial: Trial) -> tuple[list[str], list[Tensor], Callable[..., tuple[Tensor, ...]]]:
    """The cell over three steps, as a function of its differentiable inputs, parameters and states."""
    step = trial.step
    inputs = {name: value[:3, :2].clone() for name, value in trial.inputs.items()}
    groups = [
        {name: value for name, value in inputs.items() if name not in step.undifferentiated},
        dict(trial.parameters),
        {name: value[:2].clone() for name, value in trial.states.items()},
    ]
    names = [
        f"{kind} {name}" for kind, group in zip(("input", "parameter", "state"), groups, strict=True) for name in group
    ]
    leaves = [value.clone().requires_grad_() for group in groups for value in group.values()]
    emit = list(dict.fromkeys([*step.states, *step.observed]))

    def function(*tensors: Tensor) -> tuple[Tensor, ...]:
        remaining = iter(tensors)
        chosen, weights, states = ({name: next(remaining) for name in group} for group in groups)
        outputs, final = scan(step, {**inputs, **chosen}, weights, states, emit=emit)
        return (*outputs.values(), *final.values())

    return names, leaves, function


def _equal_autograd(
    trial: Trial, names: Sequence[str], leaves: Sequence[Tensor], function: Callable[..., tuple[Tensor, ...]]
) -> None:
    """The derived backward against torch's own differentiation of the reference's operations."""
    step = trial.step
    values = function(*leaves)
    generator = torch.Generator().manual_seed(2)
    outer = [torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in values]
    got = torch.autograd.grad(values, leaves, outer, materialize_grads=True)
    for name, gradient in zip(names, got, strict=True):
        if not gradient.isfinite().all():
            fault = culprit(trial, trial.inputs, trial.parameters)
            raise CellError(f"{trial.name}: the gradient of the {name} is not finite for random numbers. {fault}")

    inputs = {name: value[:3, :2] for name, value in trial.inputs.items()}
    remaining = iter(leaves)
    chosen = {name: next(remaining) for name in inputs if name not in step.undifferentiated}
    emit = tuple(dict.fromkeys([*step.states, *step.observed]))
    text = program_text(step, emit)
    parameters = [next(remaining) for _ in step.parameters]
    plain = forward(text, list({**inputs, **chosen}.values()), parameters, list(remaining), False, False, "reference")
    sequences = len(plain) - len(step.states)
    distinct = list(dict.fromkeys(step.sequence(name) for name in emit))
    ordered = [plain[distinct.index(step.sequence(name))] for name in emit] + plain[sequences:]
    want = torch.autograd.grad(ordered, leaves, outer, materialize_grads=True)
    for name, a, b in zip(names, got, want, strict=True):
        error = float((a - b).abs().max() / b.abs().max().clamp(min=1.0)) if a.numel() else 0.0
        if not error <= CLOSE:
            raise CellError(
                f"{trial.name}: the derived gradient of the {name} differs from torch's autograd by {error:.1e} of the "
                "largest value; a derivative rule of an operation in the equations is wrong"
            )
