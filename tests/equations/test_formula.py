import pytest

from gatewise.equations import (
    Expr,
    detach,
    input,
    matmul,
    maximum,
    neg,
    parameter,
    sigmoid,
    sqrt,
    square,
    state,
    where,
)
from gatewise.equations.formula import spell, symbol

h, c, b = state("h"), state("c"), parameter("b_f")
x = input("x")


@pytest.mark.parametrize(
    ("expr", "text", "latex"),
    [
        (h + c + b, "h + c + b_f", "h_{t-1} + c_{t-1} + b_{f}"),
        (h + (c + b), "h + (c + b_f)", r"h_{t-1} + \left(c_{t-1} + b_{f}\right)"),
        (h - (c - b), "h - (c - b_f)", r"h_{t-1} - \left(c_{t-1} - b_{f}\right)"),
        ((h + c) * b, "(h + c) * b_f", r"\left(h_{t-1} + c_{t-1}\right) \odot b_{f}"),
        (h * (c * b), "h * (c * b_f)", r"h_{t-1} \odot \left(c_{t-1} \odot b_{f}\right)"),
        (h / (c * b), "h / (c * b_f)", r"\frac{h_{t-1}}{c_{t-1} \odot b_{f}}"),
        (-(h * c), "-h * c", r"-h_{t-1} \odot c_{t-1}"),
        (neg(h) * c, "(-h) * c", r"\left(-h_{t-1}\right) \odot c_{t-1}"),
        (1 - sigmoid(h), "1 - sigmoid(h)", r"1 - \sigma\left(h_{t-1}\right)"),
        (matmul("W_i", x), "W_i @ x", "W_{i} x_t"),
        (matmul("U", h * c), "U @ (h * c)", r"U \left(h_{t-1} \odot c_{t-1}\right)"),
        (h + -0.5, "h + (-0.5)", r"h_{t-1} + \left(-0.5\right)"),
        (square(h + c), "square(h + c)", r"\left(h_{t-1} + c_{t-1}\right)^2"),
        (sqrt(abs(h)), "sqrt(abs(h))", r"\sqrt{\left|h_{t-1}\right|}"),
        (maximum(h, c), "maximum(h, c)", r"\max\left(h_{t-1}, c_{t-1}\right)"),
        (
            where(h >= c, h, 0),
            "where(h >= c, h, 0)",
            r"\operatorname{where}\left(h_{t-1} \ge c_{t-1}, h_{t-1}, 0\right)",
        ),
        (detach(h), "detach(h)", r"\operatorname{detach}\left(h_{t-1}\right)"),
    ],
)
def test_spelling(expr: Expr, text: str, latex: str) -> None:
    assert spell(expr) == text
    assert spell(expr, style="latex") == latex


def test_names_stand_for_subexpressions_but_not_for_the_whole() -> None:
    gate = sigmoid(h)
    assert spell(gate * c, {gate: "f"}) == "f * c"
    assert spell(gate, {gate: "f"}) == "sigmoid(h)"


def test_messages_stay_short_where_a_graph_would_print_exponentially() -> None:
    doubled = h
    for _ in range(60):
        doubled = doubled + doubled
    assert len(repr(doubled)) <= 200
    assert "..." in repr(doubled)


def test_symbols() -> None:
    assert symbol("U_i") == "U_{i}"
    assert symbol("c", "t") == "c_t"
    assert symbol("gate") == r"\mathrm{gate}"
