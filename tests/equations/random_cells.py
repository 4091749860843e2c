"""Hypothesis draws cells: random expression graphs over the whole language, and numbers to run them on.

Operands are kept inside the domain of the operation that reads them (`log(abs(a) + 0.5)`), and new states bounded, so
that a difference between two computations is an error and not a matter of conditioning. Ties are drawn on purpose:
numbers on a grid of halves make operands of comparisons, maximum and minimum exactly equal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from gatewise.equations import (
    TABLE,
    Expr,
    Step,
    clip_grad,
    constant,
    fold,
    input,
    matmul,
    mean,
    normalise,
    normalise_jointly,
    parameter,
    repeat,
    state,
    tanh,
    total,
    trace,
    transform,
)
from gatewise.equations import ops as o
from gatewise.equations.expr import pointwise
from gatewise.equations.rows import rstd, spread

Unary = Callable[[Expr], Expr]
CALM = ("sign", "sigmoid", "relu", "maximum", "minimum", "where", "ge", "gt", "le", "lt", "detach", "clip_grad", "mean")
GROWING = ("exp", "expm1", "square")
SAFE: dict[str, Unary] = {
    "sqrt": lambda a: abs(a) + 0.25,
    "log": lambda a: abs(a) + 0.5,
    "log1p": lambda a: o.maximum(a, -0.5),
    **dict.fromkeys(GROWING, lambda a: o.minimum(o.maximum(a, -2), 2)),
}
ROWS = ("matmul", "mean", "total", "normalise", "jointly", "rstd", "repeat", "fold", "spread")
MORE = (
    ("matmul",) * 8 + ("tied", "fold") * 3 + ("mul", "where", "maximum", "minimum", "square of the newest", "jointly")
)
KINDS = (*TABLE, *ROWS, *MORE)
BOUNDS: tuple[Callable[[Expr, Expr], Expr], ...] = (
    lambda a, old: tanh(a),
    lambda a, old: tanh(matmul(f"B_{old.width}", a, str(old.width)) + matmul(f"C_{old.width}", old, str(old.width))),
    lambda a, old: tanh(matmul(f"B_{old.width}", a, str(old.width))),
    lambda a, old: a / (1 + abs(a)),
    lambda a, old: 0.5 * old + 0.5 * o.sigmoid(a),
    lambda a, old: o.minimum(o.maximum(a, -1), 1),
    lambda a, old: o.where(a >= old, tanh(a), old),
    lambda a, old: old,
)


@dataclass(frozen=True)
class Example:
    """A cell and how to run it."""

    step: Step
    sizes: Mapping[str, int]
    inputs: dict[str, Tensor]
    parameters: dict[str, Tensor]
    states: dict[str, Tensor]
    emit: tuple[str, ...]
    reverse: bool
    seed: int


@st.composite
def examples(draw: st.DrawFn) -> Example:
    small = st.integers(0, 7)
    recipe = draw(st.lists(st.tuples(st.sampled_from(KINDS), small, small, small), min_size=5, max_size=14))
    widths = draw(st.lists(st.sampled_from(["H", "H", "P", "K"]), min_size=1, max_size=3))
    updates = draw(st.tuples(*[st.tuples(small, st.sampled_from(BOUNDS)) for _ in widths]))
    observed = draw(st.lists(small, max_size=2))
    learned = draw(st.booleans())
    step = _step(recipe, widths, updates, observed, learned)
    extra = draw(st.sampled_from(["", "", "padding", "resets", "both", "zoneout"]))
    if extra == "zoneout":
        step = transform.zoneout(step, {"h": 0.25}, training=draw(st.booleans()))
    if extra in ("resets", "both"):
        step = transform.resets(step)
    if extra in ("padding", "both"):
        step = transform.padding(step)
    blocks = draw(st.integers(1, 2))
    sizes = {"X": draw(st.integers(1, 3)), "H": blocks * draw(st.integers(1, 3)), "P": draw(st.integers(1, 3))}
    sizes["K"] = blocks
    names = [*step.states, *step.observed]
    emit = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=len(names), unique=True)))
    return Example(step, sizes, *_numbers(draw, step, sizes), emit, draw(st.booleans()), draw(st.integers(0, 99)))


def _step(recipe: Any, widths: Any, updates: Any, observed: Any, learned: bool) -> Step:
    """The cell that a recipe describes: operands are chosen among all nodes so far, the newest first."""
    names = ["h", "c", "m"][: len(widths)]
    states = dict(zip(names, widths, strict=True))
    inputs: dict[str, str | None] = {"x": "X", "t": None, "s": "H", "q": "H"}
    pool = [constant(0.5), *(input(name, width) for name, width in inputs.items())]
    pool += [parameter("a", None), parameter("b"), parameter("p", "P"), parameter("k", "K")]
    pool += [state(name, width) for name, width in states.items()]
    growth: dict[Expr, int] = {}
    for kind, i, j, k in recipe:
        node = _grown(kind, pool, i, j, k)
        growth[node] = max((growth.get(arg, 0) for arg in node.args), default=0)
        growth[node] += {"normalise": 2, "rstd": 2}.get(node.op, int(node.op not in CALM))
        # Sums of sums of sums would lose digits that no rule is to blame for.
        pool.append(node if growth[node] <= 3 else tanh(node))

    def newest(width: str, skip: int) -> Expr:
        fitting = [node for node in pool if node.width == width]
        return fitting[-1 - skip % len(fitting)]

    found = {
        name: bound(newest(width, skip), state(name, width))
        for (name, width), (skip, bound) in zip(states.items(), updates, strict=True)
    }
    # What is observed may depend on no state, be a state, or be one of the updates.
    vectors = [node for node in pool if node.width is not None] + [*found.values()]
    seen = {f"o{n}": vectors[-1 - k % len(vectors)] for n, k in enumerate(observed)}
    # All widths need something whose tensor tells their size.
    seen["w"] = parameter("b") * (total(parameter("p", "P")) + total(parameter("k", "K")))
    return trace(
        "Random",
        lambda **_: {**found, **seen},
        inputs=inputs,
        states=states,
        observed=list(seen),
        initial={"h": "learned"} if learned else {},
        undifferentiated=["q"],
    )


def _grown(kind: str, pool: list[Expr], i: int, j: int, k: int) -> Expr:
    """One more node."""
    a = pool[-1 - i % len(pool)]
    if kind == "square of the newest":  # a subexpression with several readers
        return tanh(pool[-1]) * pool[-1]
    if kind in ROWS:
        return _row(kind, a, pool, j, k)
    if kind == "tied":  # one matrix, two operands
        vectors = [node for node in pool if node.width == (a.width or "H")]
        first, second = vectors[-1 - i % len(vectors)], vectors[-1 - j % len(vectors)]
        width = ("H", "P")[k % 2]
        return matmul(f"T_{width}{first.width}", first, width) - matmul(f"T_{width}{first.width}", tanh(second), width)
    if kind == "clip_grad":
        return clip_grad(a, (0.1, 0.5, 3.0)[j % 3])
    arity = TABLE[kind].arity
    if arity == 1:
        return pointwise(kind, SAFE.get(kind, lambda a: a)(a))
    others = [node for node in pool if node.width is None or a.width is None or node.width == a.width]
    b = others[-1 - j % len(others)]
    if kind == "div":
        return a / (o.square(b) + 0.5)
    if arity == 2:
        return pointwise(kind, a, b)
    width = a.width or b.width
    others = [node for node in pool if node.width is None or width is None or node.width == width]
    # A node as its own condition, and as both choices, among others.
    return o.where(others[-1 - k % len(others)], a, b)


def _row(kind: str, a: Expr, pool: list[Expr], j: int, k: int) -> Expr:
    if kind == "spread":
        numbers = [node for node in pool if node.width is None]
        return spread(numbers[-1 - j % len(numbers)], ("H", "P", "K")[k % 3])
    vectors = [node for node in pool if node.width is not None]
    a = a if a.width is not None else vectors[-1 - j % len(vectors)]
    if kind == "matmul":
        width = ("H", "P", "K", "H")[k % 4]
        return matmul(f"W{j % 2}_{width}{a.width}", a, width)
    # Equal units have no variance, which makes rounding errors large.
    spread_out = {"X": input("x"), "H": parameter("b"), "P": parameter("p", "P"), "K": parameter("k", "K")}
    if kind == "normalise":
        return normalise(a + 2 * spread_out[str(a.width)])
    if kind in ("mean", "total"):
        return {"mean": mean, "total": total}[kind](a)
    if kind in ("jointly", "rstd"):
        same = [node for node in vectors if node.width == a.width][-1 - j % 4 :]
        same[0] = same[0] + 2 * spread_out[str(a.width)]
        return rstd(*same) if kind == "rstd" else normalise_jointly(*same)[k % len(same)]
    if kind == "repeat":
        return repeat(a if a.width == "K" else matmul(f"R_{a.width}", a, "K"), "H")
    return fold(a if a.width == "H" else matmul(f"F_{a.width}", a, "H"), "K")


def _numbers(draw: st.DrawFn, step: Step, sizes: Mapping[str, int]) -> tuple[dict[str, Tensor], ...]:
    steps, batch = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    grid, constants = draw(st.booleans()), draw(st.sets(st.sampled_from(["x", "s", "t"])))

    def number(*shape: int, learned: bool = True) -> Tensor:
        value = torch.randn(shape, generator=generator, dtype=torch.float64)
        return ((2 * value).round() / 2 if grid else value).requires_grad_(learned)

    inputs = {}
    for name, leaf in step.inputs.items():
        shape = (steps, batch, 1 if leaf.width is None else sizes[leaf.width])
        if name == "@valid":  # lengths, 0 among them
            lengths = torch.randint(0, steps + 1, (batch,), generator=generator)
            inputs[name] = (torch.arange(steps).unsqueeze(1) < lengths).unsqueeze(-1).double()
        elif name.startswith("@"):
            inputs[name] = torch.randint(0, 2, shape, generator=generator).double()
        else:
            inputs[name] = number(*shape, learned=name not in (*constants, "q"))
    parameters = {name: number(*[sizes[width] for width in p.shape]) for name, p in step.parameters.items()}
    states = {name: number(batch, sizes[str(leaf.width)]) for name, leaf in step.states.items()}
    if grid:
        states = {name: torch.zeros_like(value).requires_grad_() for name, value in states.items()}
    return inputs, parameters, states
