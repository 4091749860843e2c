"""What transforms make of a step: the equations, and that they mean what a layer needs them to mean."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gatewise.cells import GRU, JANET, LSTM, LSTMP, SLSTM, LayerNormLSTM, MultiplicativeLSTM
from gatewise.equations import Step, linear, matmul, sigmoid, tanh, trace, transform
from gatewise.errors import CellError
from tests.equations.plain_loop import loop
from tests.tolerance import assert_close

SIZES = {"X": 3, "H": 4, "P": 2, "K": 2}
STEPS, BATCH = 5, 3


def elman(**initial: object) -> Step:
    return trace(
        "Elman",
        lambda x, h: {"h": tanh(linear("h", x, h))},
        inputs={"x": "X"},
        states={"h": "H"},
        initial=initial,  # type: ignore[arg-type]
    )


def equations(step: Step) -> list[str]:
    return [line.strip() for line in str(step).splitlines()[1:-1]]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights(step: Step) -> dict[str, Tensor]:
    return {
        name: normal(*[SIZES[w] for w in p.shape], seed=k + 1) for k, (name, p) in enumerate(step.parameters.items())
    }


LSTM_TRANSFORMED: dict[str, tuple[Callable[[Step], Step], list[str]]] = {
    "padding": (
        transform.padding,
        ["s1 = f * c + i * z", "h' = where(@valid, o * tanh(s1), h)", "c' = where(@valid, s1, c)"],
    ),
    "resets": (
        transform.resets,
        [
            "s1 = where(@reset, 0, h)",
            "i = sigmoid(W_i @ x + b_i + U_i @ s1)",
            "c' = f * where(@reset, 0, c) + i * z",
            "h' = o * tanh(c')",
        ],
    ),
    "zoneout in training": (
        lambda step: transform.zoneout(step, {"c": 0.5, "h": 0.05}, training=True),
        ["h' = where(@zoneout_h, o * tanh(s1), h)", "c' = where(@zoneout_c, s1, c)"],
    ),
    "zoneout in evaluation": (
        lambda step: transform.zoneout(step, {"c": 0.5, "h": 0.05}, training=False),
        ["h' = h + 0.95 * (o * tanh(s1) - h)", "c' = c + 0.5 * (s1 - c)"],
    ),
    "zoneout of one state": (
        lambda step: transform.zoneout(step, {"c": 0.25}, training=False),
        ["s1 = f * c + i * z", "c' = c + 0.75 * (s1 - c)", "h' = o * tanh(s1)"],
    ),
    "recurrent dropout": (
        lambda step: transform.recurrent_dropout(step, "z"),
        ["z = tanh(W_z @ x + b_z + U_z @ h)", "c' = f * c + i * (z * @keep_z)", "h' = o * tanh(c')"],
    ),
    "variational dropout": (
        lambda step: transform.variational_dropout(step, "h"),
        ["s1 = h * @variational_h", "z = tanh(W_z @ x + b_z + U_z @ s1)", "c' = f * c + i * z"],
    ),
    "clipped gradients": (
        lambda step: transform.clip_gradient(step, 1.0),
        [
            "i = sigmoid(clip_grad(W_i @ x + b_i + U_i @ h, 1))",
            "z = tanh(clip_grad(W_z @ x + b_z + U_z @ h, 1))",
            "h' = o * tanh(c')",
        ],
    ),
    "resets, then padding": (
        lambda step: transform.padding(transform.resets(step)),
        # A reset on padding changes nothing: the state is the one before, not the one that was set back.
        ["h' = where(@valid, o * tanh(s2), h)", "c' = where(@valid, s2, c)"],
    ),
    "all in the layer's order": (
        lambda step: transform.padding(
            transform.resets(
                transform.zoneout(
                    transform.recurrent_dropout(transform.clip_gradient(step, 2.0), "z"), {"c": 0.5}, True
                )
            )
        ),
        # The value that zoneout keeps is the one after the reset.
        [
            "s2 = where(@reset, 0, c)",
            "s3 = f * s2 + i * (z * @keep_z)",
            "c' = where(@valid, where(@zoneout_c, s3, s2), c)",
        ],
    ),
}


@pytest.mark.parametrize("name", LSTM_TRANSFORMED)
def test_equations_of_the_transformed_lstm(name: str) -> None:
    change, expected = LSTM_TRANSFORMED[name]
    before = LSTM().trace()
    after = change(before)
    found = equations(after)
    assert [line for line in expected if line not in found] == []
    added = [key for key in after.inputs if key not in before.inputs]
    assert all(key.startswith("@") for key in added)
    assert after.undifferentiated == {*added}
    assert after.parameters.keys() == before.parameters.keys()


def test_a_learned_state_is_reset_to_what_was_learned() -> None:
    step = transform.resets(elman(h="learned"))
    assert equations(step) == ["h' = tanh(W_h @ x + b_h + U_h @ where(@reset, initial_h, h))"]
    assert step.parameters["initial_h"].shape == ("H",)
    infinite = transform.resets(SLSTM().trace())
    assert any("where(@reset, -inf, m)" in line for line in equations(infinite))


def test_layer_normalisation_is_joint_for_each_operand() -> None:
    found = equations(LayerNormLSTM().trace())
    assert found[:8] == [f"s{k + 1} = {name}" for k, name in enumerate(
        ["W_i @ x", "W_f @ x", "W_z @ x", "W_o @ x", "U_i @ h", "U_f @ h", "U_z @ h", "U_o @ h"]
    )]  # fmt: skip
    normal_x, normal_h = "normalise(s1, s2, s3, s4)", "normalise(s5, s6, s7, s8)"
    assert found[8:] == [
        f"i = sigmoid({normal_x}[0] * gain_W_i + b_i + {normal_h}[0] * gain_U_i)",
        f"f = sigmoid({normal_x}[1] * gain_W_f + b_f + {normal_h}[1] * gain_U_f)",
        f"z = tanh({normal_x}[2] * gain_W_z + b_z + {normal_h}[2] * gain_U_z)",
        f"o = sigmoid({normal_x}[3] * gain_W_o + b_o + {normal_h}[3] * gain_U_o)",
        "c' = f * c + i * z",
        "h' = o * tanh(normalise(c') * gain_c + shift_c)",
    ]


def test_layer_normalisation_leaves_peepholes_and_projections_alone() -> None:
    found = equations(LSTMP(layer_norm=True, peephole=True).trace())
    assert found[-1] == "h' = P @ (o * tanh(normalise(c') * gain_c + shift_c))"
    assert any(line.endswith("+ p_i * c)") for line in found)
    assert any(line.endswith("+ p_o * c')") for line in found)
    # Without a state named, no state is normalised.
    assert "gain_h" not in transform.layer_norm(elman()).parameters
    assert equations(transform.layer_norm(elman())) == [
        "h' = tanh(normalise(W_h @ x) * gain_W_h + b_h + normalise(U_h @ h) * gain_U_h)"
    ]


def test_layer_normalisation_joins_products_of_one_width() -> None:
    found = equations(LSTM(layer_norm=True, cells_per_block=2).trace())
    assert "z = tanh(normalise(W_z @ x) * gain_W_z + b_z + normalise(U_z @ h) * gain_U_z)" in found


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        # As a whole: normalised and scaled products are parts of it.
        (
            transform.layer_norm(elman()),
            ["h' = tanh(clip_grad(normalise(W_h @ x) * gain_W_h + b_h + normalise(U_h @ h) * gain_U_h, 3))"],
        ),
        # The candidate's recurrent part is scaled by a gate: a net input of its own.
        (GRU().trace(), ["n = tanh(clip_grad(W_n @ x + b_n + r * clip_grad(U_n @ h + d_n, 3), 3))"]),
        # A net input that two nonlinearities read, once as 1 - s.
        (
            JANET().trace(),
            ["s = clip_grad(W_f @ x + b_f + U_f @ h, 3)", "f = sigmoid(s)", "h' = f * h + sigmoid(1 - s) * z"],
        ),
        # A projection is none.
        (LSTMP().trace(), ["h' = P @ (o * tanh(c'))", "i = sigmoid(clip_grad(W_i @ x + b_i + U_i @ h, 3))"]),
        (MultiplicativeLSTM().trace(), ["m = clip_grad(W_m @ x, 3) * clip_grad(U_m @ h, 3)"]),
    ],
    ids=["layer norm", "GRU", "JANET", "LSTMP", "multiplicative"],
)
def test_gradients_of_net_inputs_are_clipped(step: Step, expected: list[str]) -> None:
    found = equations(transform.clip_gradient(step, 3.0))
    assert [line for line in expected if line not in found] == []


def test_padding_holds_states_and_resets_start_anew() -> None:
    base = LSTM(peephole=True).trace()
    step = transform.padding(transform.resets(base))
    p, x, zero = weights(base), normal(STEPS, BATCH, 3), torch.zeros(1, 4, dtype=torch.float64)
    lengths = [5, 3, 0]
    valid = torch.tensor([[[float(t < n)] for n in lengths] for t in range(STEPS)], dtype=torch.float64)
    reset = torch.zeros(STEPS, BATCH, 1, dtype=torch.float64)
    reset[2, 0] = reset[4, 1] = reset[0, 2] = 1  # the second and third on padding
    states = {"h": normal(BATCH, 4, seed=8), "c": normal(BATCH, 4, seed=9)}
    over_time, final = loop(step, {"x": x, "@valid": valid, "@reset": reset}, p, states, SIZES, ["h", "c"])

    first = {name: value[:1] for name, value in states.items()}
    begin, _ = loop(base, {"x": x[:2, :1]}, p, first, SIZES, ["h", "c"])
    anew, end = loop(base, {"x": x[2:, :1]}, p, {"h": zero, "c": zero}, SIZES, ["h", "c"])
    second = {name: value[1:2] for name, value in states.items()}
    _, short = loop(base, {"x": x[:3, 1:2]}, p, second, SIZES, ["h"])
    for name in ("h", "c"):
        assert_close(over_time[name][:2, :1], begin[name], STEPS)
        assert_close(over_time[name][2:, :1], anew[name], STEPS)
        assert_close(final[name], torch.cat([end[name], short[name], states[name][2:]]), STEPS)
        assert torch.equal(final[name][2], states[name][2])


def test_zoneout_in_evaluation_is_the_mean_of_zoneout_in_training() -> None:
    base = elman()
    rate, p, x, h = 0.3, weights(base), normal(1, BATCH, 3), {"h": normal(BATCH, 4, seed=5)}
    train = transform.zoneout(base, {"h": rate}, training=True)

    def new(mask: float) -> Tensor:
        masks = torch.full((1, BATCH, 4), mask, dtype=torch.float64)
        return loop(train, {"x": x, "@zoneout_h": masks}, p, h, SIZES, ["h"])[1]["h"]

    expected = loop(transform.zoneout(base, {"h": rate}, training=False), {"x": x}, p, h, SIZES, ["h"])[1]["h"]
    torch.testing.assert_close(rate * new(0) + (1 - rate) * new(1), expected)
    assert torch.equal(new(0), h["h"])


def test_variational_dropout_reaches_matrices_alone() -> None:
    # c is not multiplied with a matrix, h is, and what is made of h before the product is another value.
    def step(x, h, c):
        return {"h": matmul("U", h) * c, "c": sigmoid(matmul("V", c * h)) + h}

    traced = trace("Cell", step, inputs={"x": "X"}, states={"h": "H", "c": "H"})
    found = equations(transform.variational_dropout(traced, "h"))
    assert found == [
        "s1 = h * @variational_h",
        "h' = U @ s1 * c",
        "c' = sigmoid(V @ (c * s1)) + h",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: transform.padding(transform.padding(elman())), 'adds the input "@valid" was applied twice'),
        (lambda: transform.resets(transform.resets(elman())), 'adds the input "@reset" was applied twice'),
        (lambda: transform.zoneout(elman(), {"hh": 0.5}, True), 'Elman has no state "hh"; did you mean "h"'),
        (
            lambda: transform.zoneout(SLSTM().trace(), {"m": 0.5}, False),
            '"m" of SLSTM starts at infinity, which no mixture survives',
        ),
        (lambda: transform.recurrent_dropout(LSTM().trace(), "zz"), 'LSTM has no value "zz"; did you mean "z"'),
        (lambda: transform.variational_dropout(elman(), "c"), 'Elman has no state "c"'),
        (lambda: transform.clip_gradient(elman(), 0), "the bound must be a positive number"),
        (lambda: transform.clip_gradient(elman(), math.nan), "the bound must be a positive number"),
        (
            lambda: transform.clip_gradient(
                trace("Sum", lambda x, h: {"h": h + x}, inputs={"x": "H"}, states={"h": "H"}), 1.0
            ),
            "Sum has no net inputs",
        ),
    ],
)
def test_what_does_not_fit(change: Callable[[], Step], message: str) -> None:
    with pytest.raises(CellError, match=message):
        change()
