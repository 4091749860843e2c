"""`check_cell`: everything that a layer, a backend and a training run count on, tried on one's own cell.

Legend: T steps, B batch, X inputs, H hidden units, w the width of a vector.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

import torch
from torch import Tensor

from gatewise.backends import BACKENDS, Call
from gatewise.backends.scan import scan
from gatewise.cells import Cell
from gatewise.cells.cell import trace_anew
from gatewise.equations.text import dumps, loads
from gatewise.errors import CellError
from gatewise.nn import Recurrent
from gatewise.testing.gradients import CLOSE, check_finite, check_gradients, culprit
from gatewise.testing.trial import BATCH, STEPS, Drawer, Trial, trial

LENGTHS = (STEPS, 2, 0)


@dataclass(frozen=True)
class Report:
    """What `check_cell` has found to hold.

    Attributes:
        cell: the cell, as it prints itself.
        sizes: of the symbolic widths that it was tried with.
        checks: name and result of each check.
    """

    cell: str
    sizes: Mapping[str, int]
    checks: Sequence[tuple[str, str]]

    def __str__(self) -> str:
        sizes = ", ".join(f"{width}={size}" for width, size in self.sizes.items())
        wide = max(len(name) for name, _ in self.checks)
        return "\n".join(
            [f"{self.cell} with T={STEPS}, B={BATCH}, {sizes}:"]
            + [f"  {name:<{wide}}  {result}" for name, result in self.checks]
        )


def check_cell(cell: Cell | type[Cell], *, draw: Mapping[str, Drawer] | None = None) -> Report:
    """Try a cell on everything that layers and backends count on.

    That shapes fit and equations survive being written to a file; that first and second derivatives are those of finite
    differences (where `detach` and `clip_grad` are meant to differ from them, those of torch's autograd); that
    gradients are finite where operands are 0 or equal; that padding (NaN here) reaches nothing, a reset begins a
    sequence anew, a sequence in pieces equals the whole, the backward direction is the forward one turned around, T = 1
    and B = 1 are nothing special; and that all backends agree. In float64 on the CPU; takes about a second.

    Args:
        cell: the cell, or its class if that needs no arguments.
        draw: for inputs that must not hold just any numbers: functions from T, B and w to a tensor `[T, B, w]`. By
            default inputs are normally distributed, and those without gradient time stamps (one number a step) or masks
            (vectors of 0 and 1). Drawn inputs are not set to 0 to look for infinite gradients either.

    Returns:
        What was checked, to be printed.

    Raises:
        CellError: what does not hold, and where.

    >>> from gatewise.cells import Cell, State
    >>> from gatewise.equations import linear, tanh
    >>> class Mine(Cell):
    ...     h = State()
    ...
    ...     def step(self, x, h):
    ...         return {"h": tanh(linear("h", x, h))}
    >>> print(check_cell(Mine))
    Mine() with T=6, B=3, H=4, X=3:
      shapes          output [T, B, H], states h [B, H]; written to text and back
      ties and zeros  finite where inputs are 0, with parameters drawn and 0
      gradients       first and second derivatives equal finite differences, and torch's autograd
      padding         NaN beyond lengths 6, 2, 0 reaches no output, state or gradient
      resets          begin a sequence anew, in both directions
      pieces          2 + 4 steps equal the whole
      directions      backward equals forward on the sequence turned around
      T = 1, B = 1    equal the same steps and sequences among others
      backends        reference; cpu; torch cannot: torch's fused calls compute the plain LSTM...
    """
    made = _instance(cell)
    if dumps(trace_anew(made)) != dumps(made.trace()):
        raise CellError(
            f"{type(made).__name__}.step gives other equations when it is called again: it uses something that changes "
            "(random numbers, a counter), but it is called only once; make it an input"
        )
    tried = trial(made, draw or {})
    checks: dict[str, Callable[[Trial], str]] = {
        "shapes": _shapes,
        "ties and zeros": check_finite,
        "gradients": check_gradients,
        "padding": _padding,
        "resets": _resets,
        "pieces": _pieces,
        "directions": _directions,
        "T = 1, B = 1": _single,
        "backends": _backends,
    }
    name = repr(made) if is_dataclass(made) else f"{type(made).__name__}()"
    return Report(name, tried.sizes, tuple((name, check(tried)) for name, check in checks.items()))


def _instance(cell: Any) -> Cell:
    if inspect.isclass(cell) and issubclass(cell, Cell):
        try:
            return cell()
        except TypeError as error:  # abstract, or options without defaults
            raise CellError(
                f"{cell.__name__} cannot be made without arguments ({error}): give a cell in place of its class, and "
                "see that it has a method `step`"
            ) from error
    if isinstance(cell, Cell):
        return cell
    raise CellError(f"expected a cell or its class, got {cell!r}")


def _shapes(trial: Trial) -> str:
    step = trial.step
    output, (states,) = trial.layer()(trial.inputs["x"], **trial.further_inputs())
    _same_shape(trial, "output", output, [STEPS, BATCH, trial.sizes[str(step.states[step.output].width)]])
    for name, leaf in step.states.items():
        _same_shape(trial, f"state {name}", states[name], [1, BATCH, trial.sizes[str(leaf.width)]])
    if not output.isfinite().all():
        fault = culprit(trial, trial.inputs, trial.parameters)
        raise CellError(f"{trial.name}: the output for random numbers is not finite. {fault}")
    text = dumps(step)
    _demand(trial, "the equations, written to text and read, are others", dumps(loads(text)) == text)
    listing = ", ".join(f"{name} [B, {leaf.width}]" for name, leaf in step.states.items())
    return f"output [T, B, {step.states[step.output].width}], states {listing}; written to text and back"


def _padding(trial: Trial) -> str:
    layer = trial.layer(bidirectional=True, num_layers=1)
    inside = torch.arange(STEPS).view(-1, 1, 1) < torch.tensor(LENGTHS).view(1, -1, 1)

    def run(fill: float) -> tuple[Tensor, dict[str, Tensor], Tensor, list[Tensor]]:
        x = torch.where(inside, trial.inputs["x"], fill).requires_grad_()
        more = {name: torch.where(inside, value, fill) for name, value in trial.further_inputs().items()}
        output, (states,) = layer(x, lengths=list(LENGTHS), **more)
        loss = output.square().sum() + sum(v.square().sum() for v in _finite_ones(states))
        weights = list(layer.parameters())
        gradients = torch.autograd.grad(loss, [x, *weights], allow_unused=True)
        zero = [torch.zeros_like(w) if g is None else g for w, g in zip([x, *weights], gradients, strict=True)]
        return output, states, zero[0], zero[1:]

    output, states, of_x, of_weights = run(float("nan"))
    _demand(trial, "outputs beyond a sequence's end are not 0", bool((output[~inside.expand_as(output)] == 0).all()))
    for b, length in enumerate(LENGTHS):
        if length == 0:
            continue
        more = {name: value[:length, b : b + 1] for name, value in trial.further_inputs().items()}
        alone, (last,) = layer(trial.inputs["x"][:length, b : b + 1], **more)
        _close(trial, "padding: the output of a shorter sequence", output[:length, b : b + 1], alone)
        for name in trial.step.states:
            _close(
                trial, f"padding: the last state {name} of a shorter sequence", states[name][:, b : b + 1], last[name]
            )
    gradients = [of_x, *of_weights]
    names = ["x", *(name for name, _ in layer.named_parameters())]
    for name, gradient in zip(names, gradients, strict=True):
        _demand(trial, f"with NaN for padding the gradient of {name} is not finite", bool(gradient.isfinite().all()))
    _demand(trial, "padding gets a gradient", bool((of_x[~inside.expand_as(of_x)] == 0).all()))
    for name, a, b in zip(names[1:], of_weights, run(0.5)[3], strict=True):
        _close(trial, f"padding: the gradient of {name} for another padding", a, b)
    return f"NaN beyond lengths {', '.join(map(str, LENGTHS))} reaches no output, state or gradient"


def _resets(trial: Trial) -> str:
    layer = trial.layer(bidirectional=True)
    resets = torch.zeros(STEPS, BATCH, dtype=torch.bool)
    resets[2] = True
    whole, _ = layer(trial.inputs["x"], resets=resets, **trial.further_inputs())
    parts = [_part(trial, layer, slice(0, 2))[0], _part(trial, layer, slice(2, STEPS))[0]]
    _close(trial, "resets: the output", whole, torch.cat(parts))
    return "begin a sequence anew, in both directions"


def _pieces(trial: Trial) -> str:
    layer = trial.layer()
    whole, (last,) = _part(trial, layer, slice(0, STEPS))
    first, between = _part(trial, layer, slice(0, 2))
    second, (end,) = _part(trial, layer, slice(2, STEPS), between)
    _close(trial, "a sequence in two pieces: the output", torch.cat([first, second]), whole)
    for name in trial.step.states:
        _close(trial, f"a sequence in two pieces: the last state {name}", end[name], last[name])
    return f"2 + {STEPS - 2} steps equal the whole"


def _directions(trial: Trial) -> str:
    run = (trial.step, trial.inputs, trial.parameters, trial.states)
    turned = ({name: value.flip(0) for name, value in trial.inputs.items()}, trial.parameters, trial.states)
    outputs, final = scan(*run, reverse=True)
    other, last = scan(trial.step, *turned)
    _close(trial, "the backward direction: the output", outputs[trial.step.output], other[trial.step.output].flip(0))
    for name in trial.step.states:
        _close(trial, f"the backward direction: the last state {name}", final[name], last[name])
    return "backward equals forward on the sequence turned around"


def _single(trial: Trial) -> str:
    layer = trial.layer()
    whole, _ = _part(trial, layer, slice(0, STEPS))
    first, _ = _part(trial, layer, slice(0, 1))
    _close(trial, "T = 1: the output", first, whole[:1])
    more = {name: value[:, 1:2] for name, value in trial.further_inputs().items()}
    alone, _ = layer(trial.inputs["x"][:, 1:2], **more)
    _close(trial, "B = 1: the output", alone, whole[:, 1:2])
    return "equal the same steps and sequences among others"


def _backends(trial: Trial) -> str:
    found, want = [], None
    sizes = tuple(sorted(trial.sizes.items()))
    call = Call(trial.cell, "cpu", torch.float64, STEPS, BATCH, sizes, torchs_form=False)
    for name in sorted(BACKENDS, key=lambda name: name != "reference"):
        reason = BACKENDS[name](call)
        if reason is not None:
            found.append(f"{name} cannot: {reason}")
            continue
        layer = trial.layer(backend=name)
        x = trial.inputs["x"].clone().requires_grad_()
        output, _ = layer(x, **trial.further_inputs())
        gradients = torch.autograd.grad(output.square().sum(), [x, *layer.parameters()], materialize_grads=True)
        got = [output, *gradients]
        for a, b in zip(got, want or got, strict=True):
            _close(trial, f"the backend {name} against the reference", a, b)
        want = want or got
        found.append(name)
    return "; ".join(found)


def _part(trial: Trial, layer: Recurrent, steps: slice, states: Any = None) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """The layer over some of the steps."""
    more = {name: value[steps] for name, value in trial.further_inputs().items()}
    output, last = layer(trial.inputs["x"][steps], states, **more)
    assert isinstance(output, Tensor)
    return output, last


def _finite_ones(states: Mapping[str, Tensor]) -> list[Tensor]:
    # States that start at minus infinity stay there for a sequence of length 0.
    return [torch.where(value.isfinite(), value, 0.0) for value in states.values()]


def _same_shape(trial: Trial, what: str, value: Tensor, expected: list[int]) -> None:
    _demand(trial, f"the {what} has shape {list(value.shape)}, expected {expected}", list(value.shape) == expected)


def _close(trial: Trial, what: str, got: Tensor, want: Tensor) -> None:
    got, want = got.detach(), want.detach()
    same = got.shape == want.shape and bool(
        torch.isclose(got, want, rtol=CLOSE, atol=CLOSE * max(1.0, _largest(want)), equal_nan=False).all()
    )
    if not same:
        error = f"{float((got - want).abs().max()):.1e}" if got.shape == want.shape else "its shape"
        raise CellError(
            f"{trial.name}: {what} is not what it should be: it differs by {error} (nan: a value is NaN or infinite)"
        )


def _largest(value: Tensor) -> float:
    finite = value[value.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


def _demand(trial: Trial, what: str, holds: bool) -> None:
    if not holds:
        raise CellError(f"{trial.name}: {what}")
