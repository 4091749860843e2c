"""The networks of a transducer, and its decoders against all sequences of labels."""

import math
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gatewise import LSTM
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.language import LabelNGram, read_arpa
from gatewise.tasks.transducer import (
    AdditiveJoint,
    LayerEncoder,
    NextLabel,
    PredictionNetwork,
    TanhJoint,
    Transducer,
    TransducerStream,
    transducer_beam,
    transducer_greedy,
)

LABELS = 3


def made(kind: str = "tanh", *, scale: float = 1.5, seed: int = 0, blank: int = 0, labels: int = LABELS) -> Transducer:
    torch.manual_seed(seed)
    encoder = LayerEncoder(LSTM(2, 4, bidirectional=True))
    prediction = PredictionNetwork(labels, 5, embedding_size=3, blank=blank)
    joint = AdditiveJoint(8, 5, labels) if kind == "additive" else TanhJoint(8, 5, labels, hidden=6)
    transducer = Transducer(encoder, prediction, joint).double().eval()
    with torch.no_grad():
        for parameter in transducer.parameters():
            parameter.mul_(scale)
        # Blanks are likely, so that long sequences are not.
        (joint.from_encoder if isinstance(joint, AdditiveJoint) else joint.output).bias[blank] += 2.0
    return transducer


def inputs(steps: int, batch: int, seed: int = 3) -> Tensor:
    return 2 * torch.randn(steps, batch, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kind", ["additive", "tanh"])
def test_a_batch_is_its_sequences(kind: str) -> None:
    transducer, x = made(kind), inputs(6, 3)
    targets, lengths = [[1, 2, 2], [], [2]], [6, 4, 1]
    together = transducer(x, targets, lengths, reduction="none")
    for b, (target, length) in enumerate(zip(targets, lengths, strict=True)):
        alone = transducer(x[:length, b : b + 1], [target], reduction="none")
        torch.testing.assert_close(alone, together[b : b + 1])


def test_the_prediction_network_knows_what_was_written_and_not_what_follows() -> None:
    network = PredictionNetwork(4, 5, num_layers=2).eval()
    whole = network(torch.tensor([[1, 3, 2], [2, 2, 0]]))
    assert whole.shape == (4, 2, 5)
    output, state = network.begin(2)
    torch.testing.assert_close(output, whole[0])
    for u, labels in enumerate(torch.tensor([[1, 2], [3, 2], [2, 0]])):
        output, state = network.step(labels, state)
        torch.testing.assert_close(output, whole[u + 1])
    assert not network.embedding.weight[0].any()  # nothing stands before the first label


def all_of(transducer: Transducer, x: Tensor, most: int) -> dict[tuple[int, ...], float]:
    """ln probability of every sequence of up to `most` labels."""
    letters = [k for k in range(transducer.joint.labels) if k != transducer.blank]
    found = {}
    for length in range(most + 1):
        for target in product(letters, repeat=length):
            found[target] = -float(transducer(x, [list(target)], reduction="sum").detach())
    return found


@pytest.mark.parametrize("kind", ["additive", "tanh"])
@pytest.mark.parametrize("blank", [0, 1])
def test_a_wide_beam_has_the_sums_over_all_alignments(kind: str, blank: int) -> None:
    transducer, x = made(kind, blank=blank), inputs(3, 1)
    exact = all_of(transducer, x, 4)
    assert 0.5 < sum(map(math.exp, exact.values())) < 1
    # A beam that holds all sequences of up to 6 labels misses only what writes more.
    found = transducer_beam(transducer, x, width=200, n_best=100, most_per_step=6)[0]
    assert [hypothesis.labels for hypothesis in found[:8]] == sorted(exact, key=lambda labels: -exact[labels])[:8]
    for hypothesis in found[:20]:
        assert hypothesis.score == hypothesis.log_prob
        assert hypothesis.log_prob == pytest.approx(exact[hypothesis.labels], abs=1e-9)


def test_a_narrow_beam_has_a_part_of_them_and_finds_the_best_or_nearly_so() -> None:
    lost, best = 0, 0
    for seed in range(20):
        transducer, x = made(seed=seed, scale=2.0), inputs(4, 1, seed)
        exact = all_of(transducer, x, 5)
        (narrow,), (wider,) = (transducer_beam(transducer, x, width=width)[0] for width in (1, 4))
        for hypothesis in (narrow, wider):
            assert hypothesis.log_prob <= exact[hypothesis.labels] + 1e-9
        best += wider.labels == max(exact, key=lambda labels: exact[labels])
        lost += wider.log_prob < narrow.log_prob - 1e-9
    assert best >= 18
    assert lost == 0


def test_sequences_of_a_batch_are_searched_alone() -> None:
    transducer, x = made(labels=5), inputs(7, 3)
    lengths = [7, 1, 4]
    for decode in (transducer_beam, transducer_greedy):
        together: list[Any] = decode(transducer, x, lengths)
        for b, length in enumerate(lengths):
            (alone,) = decode(transducer, x[:length, b : b + 1])
            for got, want in zip(*([h] if not isinstance(h, list) else h for h in (together[b], alone)), strict=True):
                assert (got.labels, got.starts, got.ends) == (want.labels, want.starts, want.ends)
                assert got.log_prob == pytest.approx(want.log_prob)


class Chain:
    """A language model that looks at the last label alone; a state is the prefix, so that mistaken ones are noticed.

    Args:
        scores: ln p of a label (a column; of the end, in the blank's place) after another (a row; the blank: none).
    """

    def __init__(self, scores: np.ndarray, blank: int) -> None:
        self.scores, self.blank = scores, blank
        self.asked: list[tuple[int, ...]] = []

    def begin(self) -> tuple[tuple[int, ...], np.ndarray]:
        return (), self.scores[self.blank]

    def advance(self, states: Any, labels: Any) -> tuple[list[tuple[int, ...]], np.ndarray]:
        after = [(*state, label) for state, label in zip(states, labels, strict=True)]
        self.asked += after
        return after, self.scores[list(labels)]

    def log_prob(self, labels: tuple[int, ...]) -> float:
        return float(sum(self.scores[a, b] for a, b in pairwise((self.blank, *labels, self.blank))))


def chain(seed: int, blank: int = 0, labels: int = LABELS) -> Chain:
    scores = np.random.default_rng(seed).normal(0, 2, (labels, labels))
    return Chain(scores - np.log(np.exp(scores).sum(1, keepdims=True)), blank)


@pytest.mark.parametrize("blank", [0, 1])
@pytest.mark.parametrize(("weight", "bonus"), [(1.0, 0.0), (0.4, 0.7), (2.0, -0.5), (0.0, 0.3)])
def test_a_language_model_counts_as_in_the_definition(blank: int, weight: float, bonus: float) -> None:
    transducer, x, model = made(blank=blank), inputs(3, 1), chain(5, blank)
    exact = all_of(transducer, x, 4)
    want = {labels: p + weight * model.log_prob(labels) + bonus * len(labels) for labels, p in exact.items()}
    found = transducer_beam(
        transducer, x, width=200, n_best=200, most_per_step=6, language_model=model, weight=weight, bonus=bonus
    )[0]
    # What is longer than four labels is not in the reference.
    found = [hypothesis for hypothesis in found if len(hypothesis.labels) <= 4]
    assert [hypothesis.labels for hypothesis in found[:8]] == sorted(want, key=lambda labels: -want[labels])[:8]
    for hypothesis in found[:20]:
        assert hypothesis.log_prob == pytest.approx(exact[hypothesis.labels], abs=1e-9)
        assert hypothesis.score == pytest.approx(want[hypothesis.labels], abs=1e-9)
    assert bool(model.asked) == (weight > 0)


def test_a_language_model_leads_the_search_and_does_not_only_choose_at_its_end() -> None:
    scores = np.log(np.full((4, 4), 0.02))
    scores[0, 3] = scores[3, 2] = scores[2, 0] = np.log(0.94)  # it expects 3 2 and nothing else
    model = Chain(scores, blank=0)
    logits = torch.tensor([[0.0, 1.2, 0.0, 0.7], [0.0, 1.2, 0.7, 0.0]], dtype=torch.float64)[:, None]
    transducer = spelled(4)
    alone = transducer_beam(transducer, logits, width=3, n_best=3, most_per_step=1)[0]
    assert (3, 2) not in [hypothesis.labels for hypothesis in alone]
    (best,) = transducer_beam(transducer, logits, width=3, most_per_step=1, language_model=model)[0]
    assert best.labels == (3, 2)


def test_what_a_language_model_forbids_is_not_written() -> None:
    scores = np.full((LABELS, LABELS), np.log(0.5))
    scores[:, 2] = -np.inf
    found = transducer_beam(made(), inputs(4, 1), width=8, n_best=8, language_model=Chain(scores, 0))[0]
    assert found
    assert all(2 not in hypothesis.labels for hypothesis in found)
    everything = Chain(np.full((LABELS, LABELS), -np.inf), 0)
    with pytest.raises(DataError, match="allows none of the hypotheses of sequence 0"):
        transducer_beam(made(), inputs(4, 1), language_model=everything)
    # At a weight of 0 it is not asked at all.
    assert transducer_beam(made(), inputs(4, 1), language_model=everything, weight=0.0) == transducer_beam(
        made(), inputs(4, 1)
    )


def test_an_ngram_of_labels_can_be_the_language_model(tmp_path: Path) -> None:
    path = tmp_path / "lm.arpa"
    path.write_text(
        "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-1 <s> -0.5\n-1 </s>\n-0.6 a -0.3\n-0.4 b\n\n"
        "\\2-grams:\n-0.1 <s> b\n-0.2 a a\n\n\\end\\\n"
    )
    ngram = read_arpa(path)
    model = LabelNGram(ngram, ["", "a", "b"])
    found = transducer_beam(made(), inputs(4, 1), n_best=5, language_model=model, weight=0.8)[0]
    for hypothesis in found:
        spelt = ["_ab"[label] for label in hypothesis.labels]
        assert hypothesis.score == pytest.approx(hypothesis.log_prob + 0.8 * ngram.log_prob(spelt), abs=1e-5)
    with pytest.raises(ConfigurationError, match="the transducer's blank is 1, but the language model was told 0"):
        transducer_beam(made(blank=1), inputs(4, 1), language_model=model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1.0}, "weight is -1.0"),
        ({"bonus": math.inf}, "bonus is inf"),
        ({"language_model": Chain(np.zeros((2, 2)), 0)}, "expected a state and scores .1, 3. without NaN"),
        ({"language_model": Chain(np.full((3, 3), np.nan), 0)}, "expected a state and scores .1, 3. without NaN"),
    ],
)
def test_a_language_model_that_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigurationError, DataError), match=message):
        transducer_beam(made(), inputs(2, 1), **options)


class Spelled(nn.Module):
    """Puts its inputs out as they are: logits of an additive joint network."""

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return x, lengths


def spelled(labels: int) -> Transducer:
    """Whose inputs are logits, whatever was written."""
    joint = AdditiveJoint(labels, 4, labels)
    transducer = Transducer(Spelled(), PredictionNetwork(labels, 4), joint).double().eval()
    with torch.no_grad():
        for parameter in joint.parameters():
            parameter.zero_()
        joint.from_encoder.weight.copy_(torch.eye(labels))
    return transducer


def test_greedy_takes_the_likeliest_label_until_the_blank() -> None:
    transducer = spelled(3)
    logits = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.9, 0.05, 0.05]]).double().log()[:, None]
    (found,) = transducer_greedy(transducer, logits, most_per_step=2)
    # The second step would write for ever; after two labels its blank is taken.
    assert (found.labels, found.starts, found.ends) == ((1, 1), (1, 1), (2, 2))
    assert found.log_prob == pytest.approx(math.log(0.8 * 0.7 * 0.7 * 0.2 * 0.9))


@pytest.mark.parametrize("piece", [1, 3, 20])
def test_a_stream_writes_what_the_whole_does(piece: int) -> None:
    torch.manual_seed(1)
    layer = LSTM(2, 8).double()
    transducer = Transducer(LayerEncoder(layer), PredictionNetwork(4, 5), TanhJoint(8, 5, 4, hidden=6)).double().eval()
    with torch.no_grad():
        transducer.joint.output.weight.mul_(6)
    x = 3 * inputs(20, 1)
    (whole,) = transducer_greedy(transducer, x, most_per_step=2)
    stream, steps = TransducerStream(transducer, most_per_step=2), layer.stream()
    assert stream.best().labels == ()
    for start in range(0, 20, piece):
        stream.feed(torch.stack([steps.step(now).clone() for now in x[start : start + piece, 0]]))
        found = stream.best()
        assert found.labels == whole.labels[: len(found.labels)]
    assert len(whole.labels) > 5
    assert (found.labels, found.starts) == (whole.labels, whole.starts)
    assert found.log_prob == pytest.approx(whole.log_prob)
    with pytest.raises(DataError, match=r"outputs \[T, E\] of one sequence, got \[1, 1, 8\]"):
        stream.feed(torch.zeros(1, 1, 8).double())


def test_the_greedy_path_is_one_of_those_that_the_loss_sums() -> None:
    for seed in range(10):
        transducer, x = made(seed=seed), inputs(5, 1, seed)
        (found,) = transducer_greedy(transducer, x)
        loss = float(transducer(x, [list(found.labels)], reduction="sum").detach())
        assert found.log_prob <= -loss + 1e-9
        assert list(found.starts) == sorted(found.starts)


def test_a_transducer_learns_to_repeat_what_it_hears_and_what_it_was_taught_before() -> None:
    """Each step has a label's vector; a label follows at once, and label 3 always twice."""
    torch.manual_seed(0)
    vectors = torch.eye(4)

    def batch(count: int) -> tuple[Tensor, list[list[int]]]:
        heard = torch.randint(1, 4, (5, count))
        said = [[k for label in column for k in ([label] * (2 if label == 3 else 1))] for column in heard.T.tolist()]
        return vectors[heard], said

    joint = TanhJoint(16, 16, 4, hidden=16)
    transducer = Transducer(LayerEncoder(LSTM(4, 16)), PredictionNetwork(4, 16, embedding_size=8), joint)
    optimizer = torch.optim.Adam(transducer.parameters(), lr=0.02)
    for _ in range(120):
        x, targets = batch(16)
        loss = transducer(x, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, targets = batch(40)
    transducer.eval()
    assert [list(hypothesis.labels) for hypothesis in transducer_greedy(transducer, x)] == targets
    found = transducer_beam(transducer, x[:, :5], width=4)
    assert [list(hypotheses[0].labels) for hypotheses in found] == targets[:5]


def test_a_language_model_learns_what_follows_what() -> None:
    torch.manual_seed(0)
    model = NextLabel(PredictionNetwork(4, 16, embedding_size=8))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    targets = [[1, 2, 3], [2, 3], [3], []]  # what follows is certain, but not what comes first
    first = float(model(targets).detach())
    for _ in range(150):
        loss = model(targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # Ten labels are to be told, the ends among them; four of them come first, each as often as the others.
    certain = 4 * math.log(4) / 10
    assert first > 1
    assert certain - 1e-3 < float(loss.detach()) < certain + 0.05


def test_the_next_label_of_padded_targets_is_that_of_lists() -> None:
    model = NextLabel(PredictionNetwork(4, 5))
    lists = model([[1, 2, 3], [2], []])
    torch.testing.assert_close(model(torch.tensor([[1, 2, 3], [2, 3, 3], [1, 1, 1]]), [3, 1, 0]), lists)
    torch.testing.assert_close(model(torch.tensor([1, 2, 3, 2]), [3, 1, 0]), lists)


def test_pretrained_parts_are_copied() -> None:
    encoder, model = LayerEncoder(LSTM(2, 4)), NextLabel(PredictionNetwork(LABELS, 5))
    transducer = Transducer.from_pretrained(encoder, model, TanhJoint(4, 5, LABELS, hidden=6))
    for part, source in ((transducer.encoder, encoder), (transducer.prediction, model.prediction)):
        for (name, got), want in zip(part.named_parameters(), source.parameters(), strict=True):
            assert torch.equal(got, want), name
            assert got is not want


def test_what_does_not_fit_is_refused() -> None:
    transducer, x = made(), inputs(4, 2)
    with pytest.raises(ConfigurationError, match="has 4 labels and the joint network 3"):
        Transducer(Spelled(), PredictionNetwork(4, 5), TanhJoint(8, 5, 3, hidden=6))
    with pytest.raises(ConfigurationError, match="blank is 4"):
        PredictionNetwork(4, 5, blank=4)
    with pytest.raises(DataError, match=r"lengths from 1 to T = 4, got \[4, 0\]"):
        transducer(x, [[1], [2]], [4, 0])
    with pytest.raises(DataError, match=r"expected inputs \[T, B, X\], got \[2, 2\]"):
        transducer(x[0], [[1], [2]])
    with pytest.raises(DataError, match="label 0 of target 1 is 3"):
        transducer(x, [[1], [3]])
    with pytest.raises(DataError, match="label 0 of target 0 is 0, which is the blank"):
        NextLabel(PredictionNetwork(4, 5))([[0]])
    x[2, 1] = math.nan
    for decode in (transducer_greedy, transducer_beam):
        with pytest.raises(DataError, match="sequence 1 has no probabilities at step 0"):
            decode(transducer, x)
        with pytest.raises(ConfigurationError, match="most_per_step is 0"):
            decode(transducer, x, most_per_step=0)
    with pytest.raises(ConfigurationError, match="width is 0"):
        transducer_beam(transducer, x, width=0)
