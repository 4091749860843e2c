"""Simplification: expressions with the same values (up to rounding and the sign of zero), and fewer operations.

Nothing here changes what a NaN or an infinity does: `0 * a` stays, because it is not 0 for every `a`.
"""

from collections.abc import Iterable

from gatewise.equations.arithmetic import ARITHMETIC
from gatewise.equations.expr import BARRIERS, LEAVES, Expr, constant, intern, pointwise, rebuild, weights


def simplify(roots: Iterable[Expr], fixed: Iterable[Expr] = ()) -> dict[Expr, Expr]:
    """Each root, and every node it is made of, with its simplified form; the nodes in `fixed` stay as they are.

    >>> from gatewise.equations import state
    >>> from gatewise.equations.expr import pointwise
    >>> a, b = state("a"), state("b")
    >>> expr = pointwise("neg", pointwise("neg", a)) * -1.0 + b * (constant(2.0) - 1.0)
    >>> simplify([expr])[expr]
    b - a
    """
    return rebuild(roots, {node: node for node in fixed}, _rule)


def _rule(node: Expr) -> Expr:
    """One node whose operands are simple already."""
    if node.op in LEAVES or node.op in BARRIERS:
        return node
    args = node.args
    if all(isinstance(arg.attr, float) for arg in args):
        value = ARITHMETIC[node.op](*(arg.attr for arg in args))
        # A NaN is left to be computed where someone sees it.
        return node if value != value else constant(value)
    rule = _RULES.get(node.op)
    return node if rule is None else rule(node, *args)


def _is(node: Expr, value: float) -> bool:
    return isinstance(node.attr, float) and node.op == "constant" and node.attr == value


def _negated(node: Expr) -> Expr:
    return _rule(pointwise("neg", node))


def _add(node: Expr, a: Expr, b: Expr) -> Expr:
    if _is(a, 0):
        return b
    if _is(b, 0):
        return a
    if b.op == "neg":
        return _rule(pointwise("sub", a, b.args[0]))
    if a.op == "neg":
        return _rule(pointwise("sub", b, a.args[0]))
    if b.op == "matmul_t":
        rest, product = _split(a)
        if product is not None:
            joined = intern("matmul_t", (*product.args, *b.args), (*weights(product), *weights(b)), b.width)
            return joined if rest is None else pointwise("add", rest, joined)
    return node


def _split(total: Expr) -> tuple[Expr | None, Expr | None]:
    """A sum without its product of transposed matrices, and that product; None where there is nothing."""
    if total.op == "matmul_t":
        return None, total
    if total.op != "add":
        return total, None
    first, second = total.args
    rest, product = _split(second)
    if product is not None:
        return first if rest is None else pointwise("add", first, rest), product
    rest, product = _split(first)
    return (second if rest is None else pointwise("add", rest, second)), product


def _sub(node: Expr, a: Expr, b: Expr) -> Expr:
    if _is(b, 0):
        return a
    if _is(a, 0):
        return _negated(b)
    if b.op == "neg":
        return _rule(pointwise("add", a, b.args[0]))
    return node


def _mul(node: Expr, a: Expr, b: Expr) -> Expr:
    for one, other in ((a, b), (b, a)):
        if _is(one, 1):
            return other
        if _is(one, -1):
            return _negated(other)
        if one.op == "neg":
            return _negated(_rule(pointwise("mul", *((one.args[0], b) if one is a else (a, one.args[0])))))
    return node


def _div(node: Expr, a: Expr, b: Expr) -> Expr:
    if _is(b, 1):
        return a
    return _negated(_rule(pointwise("div", a.args[0], b))) if a.op == "neg" else node


def _neg(node: Expr, a: Expr) -> Expr:
    if a.op == "neg":
        return a.args[0]
    if a.op == "sub":
        return pointwise("sub", a.args[1], a.args[0])
    return node


def _where(node: Expr, condition: Expr, a: Expr, b: Expr) -> Expr:
    chosen = node
    if isinstance(condition.attr, float):
        chosen = a if condition.attr != 0 else b
    elif a is b:
        chosen = a
    # One number in place of a vector is not the same to what sums over the vector.
    return chosen if chosen.width == node.width else node


_RULES = {"add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg, "where": _where}
