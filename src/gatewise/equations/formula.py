"""Expressions in writing: as text for errors and listings, as LaTeX for documentation."""

from collections.abc import Mapping
from typing import Literal

from gatewise.equations import rows
from gatewise.equations.expr import LEAVES, PRODUCTS, ROWS, Expr, weights
from gatewise.equations.ops import ATOM, COMPARE, FACTOR, SUM, TABLE

Style = Literal["text", "latex"]


def spell(node: Expr, names: Mapping[Expr, str] | None = None, style: Style = "text", depth: int | None = None) -> str:
    """The expression in infix notation.

    Args:
        node: the expression.
        names: names to write in place of subexpressions (never in place of `node` itself).
        style: `text`, or `latex` (which writes states with the index t-1 and inputs with the index t).
        depth: how many operations deep to write; what lies deeper is written as dots.

    >>> from gatewise.equations import input, sigmoid, parameter
    >>> spell(1 - sigmoid(parameter("b_f", "X") + input("x")), style="latex")
    '1 - \\\\sigma\\\\left(b_{f} + x_t\\\\right)'
    """
    return _spell(node, names or {}, style, depth, root=True)[0]


def excerpt(node: Expr) -> str:
    """The top of an expression in one line, short enough for a message."""
    text = spell(node, depth=6)
    return text if len(text) <= 200 else text[:197] + "..."


def symbol(name: str, index: str | None = None) -> str:
    r"""A name in LaTeX: what follows its first underscore is a subscript, to which the time `index` is added.

    >>> symbol("W_i"), symbol("h", "t-1"), symbol("log_f", "t")
    ('W_{i}', 'h_{t-1}', '\\mathrm{log}_{f,t}')
    """
    head, _, tail = name.partition("_")
    head = head if len(head) == 1 else rf"\mathrm{{{head}}}"
    subscript = ",".join(part for part in (tail.replace("_", r"\_"), index) if part)
    if not subscript:
        return head
    return f"{head}_{subscript}" if len(subscript) == 1 and not tail else f"{head}_{{{subscript}}}"


def _spell(
    node: Expr, names: Mapping[Expr, str], style: Style, depth: int | None, root: bool = False
) -> tuple[str, int]:
    """The text and how tightly it binds."""
    if not root and node in names:
        return names[node], ATOM
    if node.op in LEAVES:
        return _leaf(node, style)
    if depth == 0:
        return "...", ATOM
    deeper = None if depth is None else depth - 1
    operands = [_spell(arg, names, style, deeper) for arg in node.args]
    if node.op in PRODUCTS:
        terms = []
        for weight, operand in zip(weights(node), operands, strict=True):
            matrix = weight if style == "text" else symbol(weight)
            if node.op == "matmul_t":
                matrix += ".T" if style == "text" else r"^{\top}"
            terms.append(f"{matrix}{' @ ' if style == 'text' else ' '}{_parenthesised(*operand, ATOM, style)}")
        return " + ".join(terms), FACTOR if len(terms) == 1 else SUM
    operation = (rows.TABLE if node.op in ROWS else TABLE)[node.op]
    notation = operation.text if style == "text" else operation.latex
    if node.op in ROWS:
        text = notation.template.format(", ".join(_parenthesised(*operand, COMPARE, style) for operand in operands))
        if len(node.args) > 1 and node.attr is not None:  # one part of vectors that are normalised together
            text += f"[{node.attr}]" if style == "text" else f"_{{{node.attr}}}"
        return text, ATOM
    inside = [_parenthesised(*operand, need, style) for operand, need in zip(operands, notation.demands, strict=False)]
    return notation.template.format(*inside), notation.binding


def _leaf(node: Expr, style: Style) -> tuple[str, int]:
    if isinstance(node.attr, float):
        text = repr(node.attr).removesuffix(".0")
        if style == "latex":
            text = text.replace("inf", r"\infty")
        return text, ATOM if node.attr >= 0 else 0
    name = str(node.attr)
    if style == "text":
        return name, ATOM
    return symbol(name, {"input": "t", "state": "t-1"}.get(node.op)), ATOM


def _parenthesised(text: str, binding: int, need: int, style: Style) -> str:
    if binding >= need:
        return text
    return f"({text})" if style == "text" else rf"\left({text}\right)"
