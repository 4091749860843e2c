"""The parts of the benchmarks of letters and phones: nothing is spoken or fetched here."""

import numpy as np
import pytest
import torch

from benchmarks import letters_to_phones, phones
from benchmarks.data.pronunciations import Word
from benchmarks.data.spoken import FEATURES, Spoken, mixture, warping
from gatewise.tasks.ctc import Hypothesis
from gatewise.training import TrainingOptions, train


def sentence(voice: str, counts: tuple[int, ...], names: tuple[str, ...] = ("pau", "aa", "b"), seed: int = 0) -> Spoken:
    """Each phone has the same frame throughout, another one in each voice."""
    rows = np.random.default_rng(seed).normal(size=(len(names), FEATURES.size)).astype(np.float32)
    return Spoken(voice, np.repeat(rows, counts, axis=0), names, np.cumsum(counts).astype(np.float32))


def test_frames_belong_to_their_phones() -> None:
    one = sentence("awb", (2, 3, 1))
    assert one.places.tolist() == [0, 0, 1, 1, 1, 2]
    assert one.said == ("aa", "b")
    assert phones.step_labels(one, ("aa", "b")).tolist() == [2, 0]  # the pause is the last


def test_a_mixture_has_the_times_of_one_voice_and_goes_over_to_the_other() -> None:
    one, other = sentence("awb", (4, 8, 6), seed=1), sentence("slt", (8, 4, 3), seed=2)
    assert np.allclose(mixture(one, other, 0.0), one.frames)
    whole = mixture(one, other, 1.0)
    assert whole.shape == one.frames.shape
    for place in range(3):  # inside a phone, where no two are interpolated
        middle = int(np.flatnonzero(one.places == place)[1])
        want = other.frames[np.flatnonzero(other.places == place)[0]]
        assert np.allclose(whole[middle], want, atol=1e-5)
    silent = sentence("slt", (8, 7), ("pau", "aa"))
    assert mixture(one, silent, 1.0) is one.frames


def test_a_mixture_keeps_the_deviation() -> None:
    rng = np.random.default_rng(0)
    one, other = (
        Spoken(voice, rng.normal(size=(2000, 40)).astype(np.float32), ("aa",), np.array([2000.0])) for voice in "ab"
    )
    assert mixture(one, other, 0.5).std() == pytest.approx(1.0, abs=0.02)


def test_warping_moves_what_stands_at_a_frequency() -> None:
    assert np.allclose(warping(1.0), np.eye(FEATURES.bands), atol=1e-6)
    peak = np.exp(-0.5 * ((np.arange(40) - 20) / 2) ** 2).astype(np.float32)
    higher, lower = (int((peak @ warping(scale)).argmax()) for scale in (0.8, 1.25))
    assert lower < 20 < higher
    for scale in phones.SCALES:
        assert np.allclose(warping(scale).sum(axis=0), 1.0, atol=1e-5)  # a constant stays one


def test_letters_become_steps_in_their_order() -> None:
    torch.manual_seed(0)
    speller = letters_to_phones.Speller(letters=5, phones=4, hidden_size=3, num_layers=1, dropout=0.0).eval()
    letters, lengths = torch.tensor([[0, 0], [2, 3], [4, 1], [1, 0]]), torch.tensor([4, 3])
    logits, steps = speller(letters, lengths)
    assert logits.shape == (12, 2, 4)
    assert steps.tolist() == [12, 9]
    outputs, _ = speller.lstm(speller.embedding(letters), lengths=lengths)
    for letter in range(4):
        found = speller.linear(outputs[letter]).reshape(2, 3, 4)
        torch.testing.assert_close(logits[3 * letter : 3 * letter + 3], found.transpose(0, 1))


def test_errors_are_counted_against_the_first_pronunciation_and_against_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = [Word("a", (("EY",), ("AH",))), Word("ab", (("AE", "B"),))]
    alphabet = letters_to_phones.Alphabet.of(words)
    said = [(alphabet.phones["AH"],), (alphabet.phones["AE"], alphabet.phones["AE"], alphabet.phones["B"])]
    monkeypatch.setattr(letters_to_phones, "written", lambda *_: said)
    speller = letters_to_phones.Speller(5, 5, 2, 1, 0.0)
    first, nearest = letters_to_phones.errors(speller, alphabet, words)
    assert first == {"per": pytest.approx(2 / 3), "wer": 1.0}
    assert nearest == {"per": pytest.approx(1 / 3), "wer": 0.5}
    assert alphabet.spelling(words[1]).tolist() == [0, 2, 3, 1]


def test_validation_words_are_not_trained_on() -> None:
    words = [Word("ab" + "c" * (k % 7), (("AE", "B"),)) for k in range(letters_to_phones.VALIDATION + 50)]
    alphabet = letters_to_phones.Alphabet.of(words)
    speller = letters_to_phones.Speller(6, 3, 2, 1, 0.0)
    spelling = letters_to_phones.Spelling(speller, alphabet, words, seed=0, batch_size=16)
    ids = {id(word) for word in spelling.training} & {id(word) for word in spelling.validation}
    assert (len(spelling.training), len(spelling.validation), ids) == (50, letters_to_phones.VALIDATION, set())
    assert sum(len(batch.targets) for batch in spelling.batches(1)) == 50
    assert spelling.loss(next(spelling.batches(1))).isfinite()


def test_a_recogniser_learns_made_up_phones() -> None:
    torch.manual_seed(0)
    versions = [[sentence("awb", (9, 9, 9)), sentence("slt", (9, 12, 9))] for _ in range(4)]
    module = phones.Recogniser(phones.layers_of("elman", 8), 2, 0.0)
    objective = phones.Recognition(
        module, ("aa", "b"), versions, [versions[0][0]], variation=phones.Variation(mix=0.5, noise=0.05, gain=0.05),
        weight=1.0, batch_size=4, seed=0,
    )  # fmt: skip
    train(objective, TrainingOptions(max_epochs=60, learning_rate=0.02), progress=False)
    assert objective.validate() == {"per": 0.0}
    assert phones.per(module, [versions[1][1]], ("aa", "b")) == 0.0


def test_the_scale_with_the_likeliest_paths_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def heard(module: object, sentences: list[Spoken], scale: float) -> list[Hypothesis]:
        return [Hypothesis((), 0.0, -abs(scale - best), (), ()) for best in (0.84, 0.88, 0.92)]

    monkeypatch.setattr(phones, "heard", heard)
    module = phones.Recogniser(phones.layers_of("one-layer", 8), 2, 0.0)
    assert phones.best_scale(module, []) == 0.88
