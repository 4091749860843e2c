"""The transcriber learns unsegmented sequences, says what is wrong with bad input, and comes back from its folder."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from tests.tasks.transcripts import SMALL, recordings, spoken

from gatewise.checksum import json_sha256
from gatewise.errors import ConfigurationError, DataError, GatewiseError, ModelFolderError, TrainingError
from gatewise.tasks import Transcriber, load
from gatewise.tasks.ctc import BeamDecoder
from gatewise.tasks.transcription.augment import Augmentation
from gatewise.tasks.transcription.objective import TranscribeObjective
from gatewise.tasks.transcription.storage import make_network
from gatewise.tasks.transcription.training_set import TrainingSet

X, Y = recordings(64)
X_TEST, Y_TEST = recordings(24, seed=1)


@pytest.fixture(scope="module")
def model() -> Transcriber:
    return Transcriber(**SMALL).fit(X, Y)


def test_it_learns_and_says_how_well(model: Transcriber) -> None:
    metrics = model.evaluate(X_TEST, Y_TEST)
    read = model.predict(X_TEST)
    assert metrics["cer"] <= 0.05
    assert metrics["cer"] == pytest.approx(jiwer.cer(Y_TEST, read))
    assert metrics["wer"] == pytest.approx(jiwer.wer(Y_TEST, read))
    assert model.score(X_TEST, Y_TEST) == 1 - metrics["cer"]
    assert metrics["text_error"] == np.mean([a != b for a, b in zip(Y_TEST, read, strict=True)])
    assert metrics["sequences"] == 24
    assert 0 <= metrics["calibration_error"] <= 1


def test_symbols_are_where_they_were_said(model: Transcriber) -> None:
    (found,) = model.transcribe([spoken("cab", np.random.default_rng(3))])
    assert (found.text, [symbol.text for symbol in found.symbols]) == ("cab", ["c", "a", "b"])
    assert 0 < found.confidence <= 1
    (aligned,) = model.align([spoken("cab", np.random.default_rng(3))], ["cab"])
    for symbols in (found.symbols, aligned):
        assert [symbol.text for symbol in symbols] == ["c", "a", "b"]
        for place, symbol in enumerate(symbols):
            said = 2 + 4 * place  # its first frame, of two
            assert symbol.start < symbol.end
            assert abs(symbol.start - said) <= 2
            assert 0 < symbol.confidence <= 1


def test_confidence_is_the_probability_of_the_text(model: Transcriber) -> None:
    frames = spoken("ba", np.random.default_rng(4))
    (steps,) = model.posteriors([frames])
    (found,) = model.transcribe([frames])
    assert steps.shape == (-(-len(frames) // model.subsampling_), 4)
    assert np.allclose(steps.sum(1), 1, atol=1e-6)
    paths = 0.0
    labels = model.vocabulary_.encode(found.text)
    # Every way to write it, one after the other: alpha[s] after so many of its labels and blanks.
    states = [0, *(x for label in labels for x in (label, 0))]
    alpha = np.zeros(len(states))
    alpha[:2] = steps[0, states[:2]]
    for row in steps[1:]:
        new = alpha.copy()
        new[1:] += alpha[:-1]
        for s in range(2, len(states)):
            if states[s] and states[s] != states[s - 2]:
                new[s] += alpha[s - 2]
        alpha = new * row[states]
    paths = alpha[-1] + alpha[-2]
    assert found.confidence == pytest.approx(paths, rel=1e-4)


def test_confusions_count_every_symbol(model: Transcriber) -> None:
    names, counts = model.confusion(X_TEST, Y_TEST)
    assert names == ["a", "b", "c", ""]
    assert counts[:3].sum() == sum(map(len, Y_TEST))
    assert counts[:3, :3].trace() >= 0.95 * counts.sum()


def test_a_decoder_of_ones_own_takes_part(model: Transcriber) -> None:
    beam = model.transcribe(X_TEST, decoder=BeamDecoder(width=4))
    wide = clone(model).set_params(beam=4)
    assert [one.text for one in beam] == Transcriber(**{**SMALL, "beam": 4}).fit(X, Y).predict(X_TEST)
    assert wide.get_params()["beam"] == 4


def test_it_comes_back_from_its_folder(model: Transcriber, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "model", metrics={"held_out": {"cer": 0.5}})
    for again in (load(folder), Transcriber.load(folder)):
        assert isinstance(again, Transcriber)
        assert again.transcribe(X_TEST) == model.transcribe(X_TEST)
        assert again.get_params() == model.get_params()
        assert (again.notes_, again.validation_, again.history_) == (model.notes_, model.validation_, model.history_)
    card = (folder / "README.md").read_text()
    assert "held_out cer: 0.5" in card
    assert "a b c (3)" in card
    with pytest.raises(ModelFolderError, match="already holds a trained model"):
        model.save(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subsampling": 3}, "subsampling is 3"),
        ({"backbone": "blstn"}, 'did you mean "blstm"'),
        ({"inputs": "image", "front_end": {"width": 3}}, "do not have these values"),
        ({"vocabulary": {"unit": "characters"}}, "a vocabulary is written with"),
        ({"mean": [0.0]}, "1 means for 4 scales"),
        ({"scale": [0.0, 1.0, 1.0, 1.0]}, "above 0"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_altered_configuration_is_refused(
    model: Transcriber, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    folder = model.save(tmp_path / "model")
    content = json.loads((folder / "config.json").read_text())
    content["config"] |= change
    content["sha256"]["config.json"] = json_sha256(content["config"])
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(ModelFolderError, match=re.escape(said)):
        load(folder)


def test_parameters_of_another_size_are_refused(model: Transcriber, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "model")
    content = json.loads((folder / "config.json").read_text())
    content["config"]["parameters"]["hidden_size"] = 10_000_000
    content["sha256"]["config.json"] = json_sha256(content["config"])
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(ModelFolderError, match="hidden units"):
        load(folder)


def test_the_same_seed_gives_the_same_bits(model: Transcriber) -> None:
    again = clone(model).fit(X, Y)
    for name, tensor in model.network_.state_dict().items():
        assert torch.equal(tensor, again.network_.state_dict()[name]), name
    other = clone(model).set_params(seed=1, max_epochs=1).fit(X, Y)
    assert not torch.equal(other.network_.linear.weight, model.network_.linear.weight)


@pytest.mark.parametrize("backbone", ["blstm", "deep-blstm", "conv-blstm", "mdlstm", "lstm"])
def test_every_backbone_trains(backbone: str) -> None:
    options = {**SMALL, "backbone": backbone, "hidden_size": 6, "num_layers": None, "max_epochs": 2}
    model = Transcriber(**options).fit(X, Y)
    losses = [row["loss"] for row in model.history_[0]["epochs"]]
    assert losses[1] < losses[0]
    assert model.backbone_ == backbone


def test_training_goes_on_from_a_model(model: Transcriber) -> None:
    one = {**SMALL, "max_epochs": 1, "learning_rate": 1e-5, "average_decay": 0.0}
    warm = Transcriber(**one).fit(X, Y, init_from=model)
    cold = Transcriber(**one).fit(X, Y)
    assert warm.score(X_TEST, Y_TEST) > 0.9 > cold.score(X_TEST, Y_TEST)
    with pytest.raises(ConfigurationError, match="both need the same symbols"):
        Transcriber(**one).fit(X, [text.replace("a", "d") for text in Y], init_from=model)
    with pytest.raises(ConfigurationError, match="of other sizes"):
        Transcriber(**{**one, "hidden_size": 5}).fit(X, Y, init_from=model)


def test_a_plan_trains_nothing() -> None:
    plan = Transcriber(**SMALL).plan(X, Y)
    assert plan.max_epochs == 40
    assert [layer.name for layer in plan.layers] == ["lstm", "linear"]


def test_a_failed_fit_leaves_the_model_as_it_was(model: Transcriber, monkeypatch: pytest.MonkeyPatch) -> None:
    used = clone(model).set_params(max_epochs=2).fit(X, Y)
    before = used.predict(X_TEST)
    monkeypatch.setattr(TranscribeObjective, "loss", lambda self, batch: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(TrainingError, match="sequence"):
        used.fit([frames[:, ::-1].copy() for frames in X], [text.replace("a", "d") for text in Y])
    assert used.predict(X_TEST) == before


def test_tokens_are_scored_by_the_phone() -> None:
    texts = [" ".join(text) for text in Y]
    model = Transcriber(**{**SMALL, "unit": "tokens", "max_epochs": 15}).fit(X, texts)
    said = [" ".join(text) for text in Y_TEST]
    metrics = model.evaluate(X_TEST, said)
    assert metrics["per"] == pytest.approx(jiwer.wer(said, model.predict(X_TEST)))
    assert model.score(X_TEST, said) == 1 - metrics["per"]
    assert "cer" not in metrics


def test_few_sequences_are_trained_without_validation() -> None:
    with pytest.warns(UserWarning, match="No validation part"):
        model = Transcriber(**{**SMALL, "max_epochs": 2}).fit(X[:6], Y[:6])
    assert model.validation_ == {}
    assert model.history_[0]["best_epoch"] == 2


def test_the_plateau_is_said() -> None:
    # With this rate nothing is learnt, and the network says nothing.
    options = {**SMALL, "learning_rate": 1e-9, "average_decay": 0.0, "max_epochs": 80, "patience": None}
    blank = Transcriber(**{**options, "max_epochs": 1}).fit(X, Y)
    with torch.no_grad():
        blank.network_.linear.bias[0] += 5
    with pytest.warns(UserWarning, match="all-blank plateau"):
        model = Transcriber(**options).fit(X, Y, init_from=blank)
    assert any("all-blank plateau" in note for note in model.notes_)


def test_blanks_cost_less_and_less_in_the_first_steps() -> None:
    data = TrainingSet.read(Transcriber(**SMALL), X, Y)
    draft = Transcriber(**SMALL)
    draft._take(data)
    objective = TranscribeObjective(
        make_network(draft), data.examples, data.targets, training=data.training, validation=data.validation,
        augmentation=Augmentation(False, 0.0), blank_penalty=2.0, max_epochs=8, batch_size=8, batch_frames=None, seed=0,
    )  # fmt: skip
    penalties = [batch.blank_penalty for epoch in (1, 2, 3) for batch in objective.batches(epoch)]
    # Of 8 epochs of 8 batches the first quarter.
    assert penalties == pytest.approx([2 * (1 - k / 16) for k in range(16)] + [0] * 8)
    batch = next(objective.batches(1))
    dear, cheap = objective.loss(batch), objective.loss(replace(batch, blank_penalty=0.0))
    assert dear > cheap + 0.1


def test_epochs_are_new_orders_of_the_training_part() -> None:
    data = TrainingSet.read(Transcriber(**SMALL), X, Y)
    draft = Transcriber(**SMALL)
    draft._take(data)
    objective = TranscribeObjective(
        make_network(draft), data.examples, data.targets, training=data.training, validation=data.validation,
        augmentation=Augmentation(False, 1.0), blank_penalty=0.0, max_epochs=8, batch_size=8, batch_frames=None, seed=0,
    )  # fmt: skip
    first, again, second = ([list(b.indices) for b in objective.batches(epoch)] for epoch in (1, 1, 2))
    assert first == again != second
    for batches in (first, second):
        assert sorted(i for batch in batches for i in batch) == data.training.tolist()
    assert not set(data.training) & set(data.validation)
    assert len(data.validation) == 6


def test_a_time_limit_is_told_of() -> None:
    model = Transcriber(**{**SMALL, "max_minutes": 1e-6}).fit(X, Y)
    assert model.notes_[-1] == "max_minutes ended the training in epoch 1."


def test_noise_on_weights_changes_what_is_learnt() -> None:
    one = {**SMALL, "max_epochs": 1, "average_decay": 0.0}
    plain, noisy, again = (Transcriber(**one, weight_noise=w).fit(X, Y).network_ for w in (0.0, 0.1, 0.1))
    assert torch.equal(noisy.linear.weight, again.linear.weight)
    assert not torch.equal(noisy.linear.weight, plain.linear.weight)


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"accumulate": 2, "batch_size": 4}, {"batch_frames": 150}])
def test_less_precision_and_smaller_batches_train_as_well(changes: dict[str, Any]) -> None:
    assert Transcriber(**{**SMALL, **changes}).fit(X, Y).score(X_TEST, Y_TEST) > 0.8


def test_pieces_of_words_are_written() -> None:
    options = {**SMALL, "unit": "pieces", "pieces": 9, "max_epochs": 25}
    model = Transcriber(**options).fit(X, Y)
    assert max(map(len, model.vocabulary_.symbols)) > 1
    assert model.evaluate(X_TEST, Y_TEST)["cer"] == pytest.approx(jiwer.cer(Y_TEST, model.predict(X_TEST)))
    names, _ = model.confusion(X_TEST, Y_TEST)
    assert set(names) <= {"a", "b", "c", ""}


# ---------------------------------------------------------------------- what cannot be used
@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (X[:12], Y[:11], "11 texts for 12 recordings"),
        (X[:12], "abc", "expected a list of texts"),
        (X[:12], [*Y[:11], 3], "text 11 is 3"),
        (X[:12], [*Y[:10], " ", ""], "2 of 12 texts are empty: sequence 10, sequence 11"),
        (X[:12], None, "the texts are missing"),
        ([], [], "expected recordings of one kind, got none"),
        (np.zeros((3, 5, 4)), ["a", "b", "c"], None),
        ([*X[:11], X[0][:, :3]], Y[:12], "sequence 11 has frames of 3 features, sequence 0 of 4"),
        ([*X[:11], np.full((9, 4), np.nan)], Y[:12], "sequence 11, frame 0, feature 0: nan"),
        ([*X[:11], np.zeros((0, 4))], Y[:12], "sequence 11 has no frames"),
        ([*X[:11], [["a"]]], Y[:12], "no array of numbers"),
        ([*X[:11], np.zeros(4)], Y[:12], "expected frames [T, X]"),
        ([*X[:11], "line.gif"], Y[:12], "no recordings are known"),
        (
            [*X[:11], X[0][:3]],
            [*Y[:11], "aab"],
            "1 of 12 sequences are too short for their text: sequence 11 (3 labels",
        ),
    ],
)
def test_bad_training_data_are_refused(x: Any, y: Any, said: str | None) -> None:
    fit = Transcriber(**{**SMALL, "max_epochs": 1, "validation": 0.0}).fit
    if said is None:
        with pytest.raises(DataError):
            fit(x, y)
        return
    with pytest.raises(GatewiseError, match=re.escape(said)):
        fit(x, y)


def test_a_subsampling_that_leaves_too_few_steps_is_refused() -> None:
    with pytest.raises(DataError, match="or give a smaller subsampling"):
        Transcriber(**{**SMALL, "subsampling": 4}).fit([frames[:-8] for frames in X], [text + text for text in Y])


def test_unknown_symbols_are_refused_at_evaluation(model: Transcriber) -> None:
    with pytest.raises(DataError, match=r"1 of 24 texts .*sequence 23: .*not in the vocabulary.*\"x\""):
        model.evaluate(X_TEST, [*Y_TEST[:-1], "axb"])
    with pytest.raises(DataError, match="too short"):
        model.align(X_TEST[:1], ["abcabcabcabcabcabcabcabcabc"])


def test_recordings_unlike_those_of_training_are_refused(model: Transcriber) -> None:
    with pytest.raises(DataError, match="3 features, those of training 4"):
        model.predict([X[0][:, :3]])


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"backbone": "mdlstn"}, "There is: "),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"subsampling": 3}, "subsampling is 3"),
        ({"look_ahead": 2}, "reads in both directions"),
        ({"backbone": "conv-blstm", "look_ahead": 2}, "convolves"),
        ({"inputs": "video"}, 'inputs is "video"'),
        ({"unit": "words"}, 'unit is "words"'),
        ({"unit": "pieces"}, "takes their number"),
        ({"pieces": 50}, "takes their number"),
        ({"augmentation": -1}, "augmentation is -1"),
        ({"blank_penalty": -1}, "blank_penalty is -1"),
        ({"validation": 1.0}, "validation is 1.0"),
        ({"beam": 0}, "beam is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"weight_noise": -0.1}, "weight_noise is -0.1"),
        ({"precision": "half"}, 'precision is "half"'),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"batch_frames": 0}, "batch_frames is 0"),
        ({"max_epochs": 0}, "max_epochs is 0"),
        ({"progress": 1}, "progress is 1"),
        ({"device": "tpu"}, "device is 'tpu'"),
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        Transcriber(**{**SMALL, **parameters}).fit(X, Y)


def test_a_parameter_set_after_the_fit_is_refused(model: Transcriber) -> None:
    with pytest.raises(NotFittedError):
        Transcriber().predict(X)
    changed = Transcriber(**{**SMALL, "max_epochs": 1}).fit(X, Y).set_params(hidden_size=3)
    with pytest.raises(ConfigurationError, match="hidden_size was set to 3 after fit"):
        changed.predict(X)
