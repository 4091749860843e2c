"""A generator as the language model of a prefix beam: against a search in plain Python that asks it from scratch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.generating import pieces, texts

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks import Generator
from gatewise.tasks.ctc import BeamDecoder
from gatewise.tasks.ctc.listening import Labels
from gatewise.tasks.ctc.prefixes import PrefixBeam

SYMBOLS = ("", " ", ".", "a", "c", "d", "e", "g", "h", "o", "r", "s", "t", "w")


@pytest.fixture(scope="module", params=["lstm", "gru"])
def model(request: pytest.FixtureRequest) -> Generator:
    options: dict[str, Any] = {"hidden_size": 16, "chunk": 20, "learning_rate": 0.02, "max_epochs": 4, "threads": 1}
    return Generator(cell=request.param, num_layers=2, **options).fit(texts(30))


class FromScratch:
    """The same model, which reads a whole prefix anew each time; a state is the prefix."""

    def __init__(self, model: Generator, labels: Sequence[str], blank: int = 0) -> None:
        self.model, self.labels, self.blank, self.asked = model, labels, blank, 0

    def begin(self) -> tuple[tuple[int, ...], np.ndarray]:
        return (), self._row(())

    def advance(self, states: Sequence[tuple[int, ...]], labels: Sequence[int]) -> tuple[list[Any], np.ndarray]:
        after = [(*state, label) for state, label in zip(states, labels, strict=True)]
        return after, np.stack([self._row(prefix) for prefix in after])

    @torch.no_grad()
    def _row(self, prefix: tuple[int, ...]) -> np.ndarray:
        self.asked += 1
        symbols = self.model.symbols_.vocabulary.symbols
        numbers = [0, *(symbols.index(self.labels[label]) for label in prefix)]
        logits, _ = self.model.network_(torch.tensor(numbers)[:, None], None)
        scores = logits[-1, 0].double().log_softmax(0).numpy()
        return np.array([scores[0 if k == self.blank else symbols.index(s)] for k, s in enumerate(self.labels)])


def logits(text: str, seed: int, labels: Sequence[str] = SYMBOLS, blank: int = 0) -> torch.Tensor:
    """What a weak reader says of a text: two steps a symbol, blanks between, and much noise."""
    rng = np.random.default_rng(seed)
    places = [blank, *(place for s in text for place in (labels.index(s), labels.index(s), blank))]
    sure = np.eye(len(labels))[places] * 2.0
    return torch.from_numpy(sure + rng.normal(size=sure.shape)).float()


@pytest.mark.parametrize("seed", range(4))
def test_the_beam_finds_what_plain_python_finds(model: Generator, seed: int) -> None:
    found_in = logits("the cow", seed)
    language = model.label_model(SYMBOLS)
    best = BeamDecoder(width=6, language_model=language, weight=0.7, bonus=0.3)(found_in, n_best=3)[0]
    plain = PrefixBeam(6, 0, 0.0, Labels(FromScratch(model, SYMBOLS), 0.7, 0.3, 0))
    for row in found_in.double().log_softmax(-1).tolist():
        plain.step(row)
    wanted = plain.best(3, True)
    assert [hypothesis.labels for hypothesis in best] == [hypothesis.labels for hypothesis in wanted]
    for one, other in zip(best, wanted, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_a_batch_is_its_sequences_and_another_blank_is_another_order(model: Generator) -> None:
    language = model.label_model(SYMBOLS)
    rows = [logits(text, 7) for text in ("the cow", "a dog", "that cat.")]
    decoder = BeamDecoder(width=5, language_model=language, weight=0.5)
    padded = torch.nn.utils.rnn.pad_sequence(rows)
    together = decoder(padded, [len(row) for row in rows])
    for row, found in zip(rows, together, strict=True):
        alone = decoder(row)[0][0]
        assert found[0].labels == alone.labels
        assert found[0].score == pytest.approx(alone.score, abs=1e-4)
    turned = (*SYMBOLS[1:], "")
    last = len(SYMBOLS) - 1
    decoder = BeamDecoder(width=5, blank=last, language_model=model.label_model(turned, blank=last), weight=0.5)
    again = decoder(rows[0].roll(-1, -1))[0][0]
    assert [turned[label] for label in again.labels] == [SYMBOLS[label] for label in together[0][0].labels]


def test_it_helps(model: Generator) -> None:
    """A reader that is often wrong is right more often when it hears what usually follows."""
    said = [text.split("\n")[0] for text in texts(30, seed=3)]
    alone = BeamDecoder(width=8)
    aided = BeamDecoder(width=8, language_model=model.label_model(SYMBOLS), weight=0.8, bonus=0.5)
    right = []
    for decoder in (alone, aided):
        read = ["".join(SYMBOLS[k] for k in decoder(logits(text, k))[0][0].labels) for k, text in enumerate(said)]
        right.append(sum(a == b for one, text in zip(read, said, strict=True) for a, b in zip(one, text)))  # noqa: B905
    assert right[1] > 1.5 * right[0]


def test_states_are_not_changed_and_prefixes_share_batches(model: Generator) -> None:
    language, scratch = model.label_model(SYMBOLS), FromScratch(model, SYMBOLS)
    start, row = language.begin()
    np.testing.assert_allclose(row, scratch.begin()[1], atol=1e-5)
    first, _ = language.advance([start] * 3, [12, 3, 5])
    second, rows = language.advance([first[2], start, first[0], first[2]], [9, 12, 8, 6])
    prefixes = [(5, 9), (12,), (12, 8), (5, 6)]
    np.testing.assert_allclose(rows, np.stack([scratch._row(prefix) for prefix in prefixes]), atol=1e-5)
    again, same = language.advance([first[2], start, first[0], first[2]], [9, 12, 8, 6])
    np.testing.assert_array_equal(rows, same)
    assert len({id(place.states) for place in second}) == 1
    assert again[0].states is not second[0].states


def test_what_does_not_fit_is_refused(model: Generator) -> None:
    with pytest.raises(DataError, match="does not write 'z', 'q'"):
        model.label_model(["", "a", "z", "q"])
    with pytest.raises(DataError, match="blank is 3, expected the number of one of 2"):
        model.label_model(["", "a"], blank=3)
    player = Generator("events", hidden_size=4, max_epochs=1, chunk=5).fit(pieces(10))
    with pytest.raises(ConfigurationError, match="this generator writes events"):
        player.label_model(["", "60"])
