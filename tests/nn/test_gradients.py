"""Gradients that work everywhere: twice, per sample, in graphs, in evaluation, under autocast, over long sequences."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

import gatewise
from gatewise import GRU, LSTM, RNN, Recurrent, cells
from gatewise.backends.operators import program_text
from gatewise.cells import LSTM1997, Cell, State
from gatewise.equations import linear, tanh
from tests.nn.test_recurrent import NAMES, batch, layer, normal
from tests.tolerance import assert_close


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_gradients(name: str) -> None:
    """A gradient penalty through a ragged batch with a reset, against finite differences."""
    recurrent = layer(name, bidirectional=True)
    x, further = batch(recurrent, 3, 2)
    x.requires_grad_()
    names, parameters = zip(*recurrent.named_parameters(), strict=True)
    resets = torch.tensor([[False, False], [True, False], [False, False]])

    def run(x: Tensor, *values: Tensor) -> Tensor:
        options = {"lengths": [3, 2], "resets": resets, **further}
        return functional_call(recurrent, dict(zip(names, values, strict=False)), (x,), options)[0]

    assert torch.autograd.gradcheck(run, (x, *parameters), atol=1e-6, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, (x, *parameters), atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_gradient_penalty_equals_torchs(kind: str, backend: str) -> None:
    theirs = getattr(torch.nn, kind)(3, 4, dtype=torch.float64)
    ours = getattr(gatewise, kind)(3, 4, dtype=torch.float64, backend=backend)
    ours.load_state_dict(theirs.state_dict())
    results = []
    for recurrent in (theirs, ours):
        x = normal(4, 2, 3).requires_grad_()
        (first,) = torch.autograd.grad(recurrent(x)[0].sin().sum(), x, create_graph=True)
        results.append(torch.autograd.grad((first.square().sum() - 1).square(), [x, *recurrent.parameters()]))
    for want, got in zip(*results, strict=True):
        assert_close(got, want, 4)


def test_third_derivatives() -> None:
    recurrent = layer("peephole")
    x = normal(2, 1, 3).requires_grad_()

    def second(x: Tensor) -> Tensor:
        (first,) = torch.autograd.grad(recurrent(x)[0].sin().sum(), x, create_graph=True)
        return torch.autograd.grad(first.pow(3).sum(), x, create_graph=True)[0]

    assert torch.autograd.gradcheck(second, (x,), atol=1e-5)


@pytest.mark.parametrize("name", ["lstm", "layer-norm", "gru-cho", "slstm", "lstm-1997"])
def test_per_sample_gradients(name: str) -> None:
    recurrent = layer(name, bidirectional=True)
    x, _ = batch(recurrent, 4, 5)
    parameters = {key: value.detach() for key, value in recurrent.named_parameters()}
    weight = normal(4, 8, seed=3)

    def loss(values: dict[str, Tensor], sample: Tensor) -> Tensor:
        return (functional_call(recurrent, values, (sample.unsqueeze(1),))[0].squeeze(1) * weight).sum()

    per_sample = vmap(grad(loss), in_dims=(None, 1))(parameters, x)
    for b in range(5):
        for key, want in grad(loss)(parameters, x[:, b]).items():
            assert_close(per_sample[key][b], want, 4, key)


def test_per_sample_gradients_of_a_plain_layer_and_of_its_gradients() -> None:
    """By the operator, since torch's call does not map; and one order higher."""
    recurrent = LSTM(3, 4, dtype=torch.float64)
    x = normal(4, 5, 3)
    parameters = {key: value.detach() for key, value in recurrent.named_parameters()}

    def loss(values: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(recurrent, values, (sample.unsqueeze(1),))[0].sin().sum()

    def penalty(values: dict[str, Tensor], sample: Tensor) -> Tensor:
        return grad(loss, argnums=1)(values, sample).square().sum()

    mapped = vmap(grad(penalty), in_dims=(None, 1))(parameters, x)
    for b in range(5):
        for key, want in grad(penalty)(parameters, x[:, b]).items():
            assert_close(mapped[key][b], want, 4, key)


def test_mapping_over_parameters_is_an_ensemble() -> None:
    members = [layer("gru", seed) for seed in range(3)]
    stacked, buffers = torch.func.stack_module_state(members)
    x = normal(4, 2, 3)
    base = copy.deepcopy(members[0])

    def run(values: dict[str, Tensor], rest: dict[str, Tensor]) -> Tensor:
        return functional_call(base, (values, rest), (x,))[0]

    together = vmap(run)(stacked, buffers)
    for k, member in enumerate(members):
        assert_close(together[k], member(x)[0], 4)


STACKS: dict[str, Any] = {
    "lstm": lambda: LSTM(3, 4, 2, bidirectional=True),
    "zoneout": lambda: LSTM(3, 4, peephole=True, zoneout=0.2, layer_norm=True).eval(),
    "cho": lambda: GRU(3, 4, reset_after=False),
    "slstm": lambda: Recurrent(cells.get("slstm")(), 3, 4),
}


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # torch's own compiler uses what it deprecates
def test_compiled_equals_eager_for_any_length_and_batch(name: str) -> None:
    torch.manual_seed(0)
    eager = STACKS[name]()
    graphs: list[Any] = []

    def backend(graph: torch.fx.GraphModule, examples: Any) -> Any:
        from torch._dynamo.backends.debugging import aot_eager

        graphs.append(graph)
        return aot_eager(graph, examples)

    torch.compiler.reset()
    compiled = torch.compile(eager, backend=backend, dynamic=True, fullgraph=True)
    for steps, size in ((5, 2), (7, 6), (9, 4)):  # never as many sequences as features: torch would take them for one
        x = torch.randn(steps, size, 3, requires_grad=True)
        lengths = torch.tensor([steps, 2, 1, 3, 0, 5][:size])
        parts = []
        for run in (eager, compiled):
            output = run(x, lengths=lengths)[0]
            parts.append([output, *torch.autograd.grad(output.sin().sum(), [x, *eager.parameters()])])
        for want, got in zip(*parts, strict=True):
            assert_close(got, want, steps)
    # One graph for all sizes (torch also hands over an empty one of its own).
    scans, *more = filter(None, ([n for n in g.graph.nodes if "gatewise.scan" in str(n.target)] for g in graphs))
    assert not more
    assert len(scans) == getattr(eager, "num_layers", 1) * (2 if eager.bidirectional else 1)


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")  # of torch's own export
def test_exported_equals_eager_for_any_length_and_batch(name: str, tmp_path: Any) -> None:
    torch.manual_seed(0)
    eager = STACKS[name]().eval()

    class First(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = eager

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)[0]

    steps, size = torch.export.Dim("T", min=1, max=100_000), torch.export.Dim("B", min=1, max=4096)
    with torch.no_grad():
        exported = torch.export.export(First(), (torch.randn(5, 3, 3),), dynamic_shapes=({0: steps, 1: size},))
    scans = [node for node in exported.graph.nodes if "gatewise.scan" in str(node.target)]
    assert len(scans) == eager.num_layers * eager.directions
    torch.export.save(exported, tmp_path / "layer.pt2")
    again = torch.export.load(tmp_path / "layer.pt2").module()
    for shape in ((1, 1, 3), (11, 6, 3)):
        x = torch.randn(shape)
        with torch.no_grad():
            assert_close(again(x), eager(x)[0], shape[0])


def test_the_operators_pass_torchs_checks() -> None:
    step = cells.get("layer-norm")().trace()
    sizes = {"X": 3, "H": 4}
    x = torch.randn(5, 2, 3, requires_grad=True)
    parameters = [torch.randn([sizes[w] for w in p.shape], requires_grad=True) for p in step.parameters.values()]
    states = [torch.randn(2, 4, requires_grad=True) for _ in step.states]
    text = program_text(step, ("h",))
    torch.library.opcheck(torch.ops.gatewise.scan.default, (text, [x], parameters, states, False, True, "reference"))
    torch.library.opcheck(
        torch.ops.gatewise.scan.default,
        (text, [x.detach()], [p.detach() for p in parameters], [s.detach() for s in states], True, False, "reference"),
    )
    with torch.no_grad():
        found = torch.ops.gatewise.scan(text, [x], parameters, states, False, True, "reference")
    sequences, finals = found[:-2], found[-2:]
    gradients = [torch.randn_like(sequences[0])]
    torch.library.opcheck(
        torch.ops.gatewise.scan_backward.default,
        (
            text,
            [x.detach()],
            [p.detach() for p in parameters],
            [s.detach() for s in states],
            sequences,
            gradients,
            [torch.randn_like(final) for final in finals],
            [True],
            False,
            2,
            "reference",
        ),
    )


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_backward_in_evaluation(kind: Any) -> None:
    recurrent = kind(3, 4, 2, dropout=0.5, dtype=torch.float64).eval()
    x = normal(4, 2, 3).requires_grad_()
    recurrent(x)[0].sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()


@pytest.mark.parametrize("name", ["lstm", "peephole", "layer-norm", "slstm"])
def test_autocast_computes_in_its_dtype_and_trains_in_the_parameters_own(name: str) -> None:
    torch.manual_seed(0)
    recurrent = Recurrent(cells.get(name)(), 3, 4)
    x = torch.randn(5, 2, 3, requires_grad=True)
    want, _ = recurrent(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, states = recurrent(x, lengths=[5, 3])
        theirs, _ = torch.nn.LSTM(3, 4)(x)
    assert output.dtype == theirs.dtype == torch.bfloat16
    assert states[0]["h"].dtype == torch.bfloat16
    assert (output[:, 0] - want[:, 0]).abs().max() < 0.05
    output.float().sum().backward()
    for value in (x, *recurrent.parameters()):
        assert value.grad is not None
        assert value.grad.dtype == torch.float32
        assert value.grad.isfinite().all()


def test_sequences_longer_than_16_bits_count() -> None:
    recurrent = Recurrent(cells.get("janet")(), 1, 1, dtype=torch.float64)
    steps = 65_600
    x = torch.zeros(steps, 1, 1, dtype=torch.float64)
    x[0] = 1
    x.requires_grad_()
    output, states = recurrent(x, lengths=[steps - 3])
    assert output[steps - 4].item() == states[0]["h"].item()
    assert (output[steps - 3 :] == 0).all()
    output[steps - 4].sum().backward()
    assert x.grad is not None
    assert x.grad[steps - 4].item() != 0
    assert (x.grad[steps - 3 :] == 0).all()


def test_the_same_call_gives_the_same_bits() -> None:
    recurrent = LSTM(5, 16, 2, bidirectional=True, peephole=True, zoneout=0.1, recurrent_dropout=0.2)
    x = torch.randn(9, 4, 5)
    results = []
    for _ in range(2):
        recurrent.zero_grad()
        output, _ = recurrent(x, lengths=[9, 3, 0, 5], mask_seed=5)
        output.sum().backward()
        results.append([output, *(value.grad.clone() for value in recurrent.parameters())])
    for first, second in zip(*results, strict=True):
        assert torch.equal(first, second)


def test_the_clipped_gradient_is_that_of_net_inputs() -> None:
    """Graves (2013): every derivative with respect to a net input lies within the bound, at every step."""

    class Elman(Cell):
        h = State()

        def step(self, x, h):
            return {"h": tanh(linear("h", x, h))}

    bound, steps = 0.05, 4
    recurrent = Recurrent(Elman(), 3, 4, clip_gradient=bound, dtype=torch.float64)
    x = normal(steps, 1, 3)
    output, _ = recurrent(x)
    assert torch.equal(output, Recurrent.forward(recurrent.eval(), x)[0])
    weight, g = recurrent.cell_parameters()["U_h"].detach(), normal(steps, 1, 4, seed=2)
    (got,) = torch.autograd.grad(output, recurrent.get_parameter("b_h_l0"), g)
    carried, total = torch.zeros(1, 4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    largest = 0.0
    for t in reversed(range(steps)):
        net = (g[t] + carried) * (1 - output[t].detach() ** 2)
        largest = max(largest, net.abs().max().item())
        net = net.clamp(-bound, bound)
        total += net[0]
        carried = net @ weight
    assert largest > bound
    assert_close(got, total, steps)


def test_truncation_cuts_what_gates_read_and_not_the_carousel() -> None:
    full = Recurrent(LSTM1997(gate_recurrence=False), 3, 4, dtype=torch.float64)
    cut = Recurrent(LSTM1997(gate_recurrence=False, truncated=True), 3, 4, dtype=torch.float64)
    cut.load_state_dict(full.state_dict())
    x = normal(6, 1, 3).requires_grad_()
    output = cut(x)[0]
    assert torch.equal(output, full(x)[0])
    whole, less = (torch.autograd.grad(one(x)[0][-1].sum(), x)[0] for one in (full, cut))
    assert (less[0] != 0).all()  # through c, from the first step to the last
    assert not torch.allclose(whole, less)


@pytest.mark.parametrize("name", ["plain", "peephole", "gru", "mgu"])
def test_autocast_takes_its_own_dtype_and_hands_states_on(name: str) -> None:
    """As within a model: what comes in is in autocast's dtype already, and states go round."""
    torch.manual_seed(0)
    makers: dict[str, Any] = {
        "plain": lambda: LSTM(3, 4),
        "peephole": lambda: LSTM(3, 4, peephole=True),
        "gru": lambda: GRU(3, 4),
        "mgu": lambda: Recurrent(cells.get("mgu")(), 3, 4),
    }
    recurrent, before = makers[name](), torch.nn.Linear(3, 3)
    x = torch.randn(5, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, states = recurrent(before(x))
        again, _ = recurrent(before(x), states)
        mixed, _ = recurrent(x, states, lengths=[5, 2])
    assert mixed.isfinite().all()
    assert not torch.equal(output, again)
    (output.float().sum() + again.float().sum()).backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in recurrent.parameters())


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")  # of torch's own export
@pytest.mark.parametrize("bidirectional", [False, True])
def test_exported_with_resets_and_lengths_from_one_step_on(bidirectional: bool) -> None:
    torch.manual_seed(0)
    eager = LSTM(3, 4, peephole=True, bidirectional=bidirectional).eval()

    class First(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = eager

        def forward(self, x: Tensor, lengths: Tensor, resets: Tensor) -> Tensor:
            return self.inner(x, lengths=lengths, resets=resets)[0]

    steps, size = torch.export.Dim("T", min=1, max=1000), torch.export.Dim("B", min=1, max=64)
    example = (torch.randn(7, 5, 3), torch.tensor([7, 2, 3, 1, 4]), torch.zeros(7, 5, dtype=torch.bool))
    shapes = ({0: steps, 1: size}, {0: size}, {0: steps, 1: size})
    with torch.no_grad():
        exported = torch.export.export(First(), example, dynamic_shapes=shapes).module()
        for count in (1, 2, 9):
            x, resets = torch.randn(count, 2, 3), torch.rand(count, 2) > 0.6
            lengths = torch.tensor([count, count - 1])
            assert_close(exported(x, lengths, resets), eager(x, lengths=lengths, resets=resets)[0], count)
        with pytest.raises(RuntimeError, match="expected lengths from 0 to T"):
            exported(torch.randn(3, 2, 3), torch.tensor([9, 1]), torch.zeros(3, 2, dtype=torch.bool))
