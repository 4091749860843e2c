"""The labeller: what it learns, what its output at a step depends on, its storage, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import gatewise
from gatewise import Labeller
from gatewise.data.audio import SpeechFeatures
from gatewise.errors import ConfigurationError, DataError, ModelFolderError
from gatewise.tasks.classification.inputs import Columns
from gatewise.tasks.labelling.inputs import read_steps

SMALL: dict[str, Any] = {"hidden_size": 8, "max_epochs": 3, "threads": 1}


def switches(count: int, seed: int, steps: int = 30) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Sequences of two noisy levels, with their names as labels."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(count):
        level = np.repeat(rng.integers(0, 2, steps // 5), 5)
        X.append(np.stack([level + 0.2 * rng.normal(size=len(level)), rng.normal(size=len(level))], axis=1))
        y.append(np.where(level > 0, "high", "low"))
    return X, y


X, Y = switches(24, seed=0)


@pytest.fixture(scope="module")
def causal() -> Labeller:
    return Labeller(**SMALL, look_ahead=3).fit(X, Y)


@pytest.mark.parametrize("look_ahead", [None, 0, 2])
def test_it_learns(look_ahead: int | None) -> None:
    model = Labeller(hidden_size=8, look_ahead=look_ahead, max_epochs=100, patience=None, threads=1).fit(X, Y)
    X_test, y_test = switches(10, seed=1)
    assert model.score(X_test, y_test) > 0.95
    found = model.evaluate(X_test, y_test)
    assert found["accuracy"] > found["baseline"]["accuracy"] + 0.2
    labels, counts = model.confusion(X_test, y_test)
    assert labels.tolist() == ["high", "low"]
    assert counts.sum() == found["steps"] == 300


@pytest.mark.parametrize("look_ahead", [0, 1, 3])
def test_a_causal_model_sees_so_far_and_no_further(look_ahead: int) -> None:
    model = Labeller(**SMALL, look_ahead=look_ahead, num_layers=2).fit(X, Y)
    before = model.predict_proba(X[:1])[0]
    for at in (0, 10, 29):
        changed = X[0].copy()
        changed[at:] += 1.0
        after = model.predict_proba([changed])[0]
        seen = max(0, at - look_ahead)
        assert np.array_equal(before[:seen], after[:seen])
        # What the first changed step may change, it does.
        assert not np.array_equal(before[seen], after[seen])


def test_a_model_of_both_directions_sees_the_end_from_the_beginning() -> None:
    model = Labeller(**SMALL).fit(X, Y)
    changed = X[0].copy()
    changed[-1] += 5.0
    assert not np.array_equal(model.predict_proba(X[:1])[0][0], model.predict_proba([changed])[0][0])


def test_a_score_of_anomaly_depends_on_what_came_before_alone() -> None:
    model = Labeller(**SMALL, output="anomalies").fit(X)
    before = model.anomaly_scores(X[:1])[0]
    changed = X[0].copy()
    changed[10] += 3.0
    after = model.anomaly_scores([changed])[0]
    assert np.array_equal(before[:10], after[:10])
    assert after[10] > before[10]
    assert not np.array_equal(before[11:], after[11:])


def test_a_sequence_does_not_depend_on_its_batch(causal: Labeller) -> None:
    ragged = [x[: 5 + k] for k, x in enumerate(X)]
    together = causal.predict_proba(ragged)
    for k in (0, 7, 23):
        assert np.allclose(together[k], causal.predict_proba([ragged[k]])[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cuts", [[], [1], [3, 4, 4, 17], list(range(1, 30))])
@pytest.mark.parametrize("missing", [False, True])
def test_a_stream_says_what_the_whole_says(cuts: list[int], missing: bool) -> None:
    data = [x.copy() for x in X]
    if missing:
        for x in data:
            x[4, 0] = x[17, 1] = np.nan
    for output, look_ahead in (("labels", 0), ("labels", 3), ("labels", 40), ("values", 2), ("anomalies", None)):
        y = {"labels": Y, "values": [x[:, :1] * 2 for x in X], "anomalies": None}[output]
        model = Labeller(hidden_size=4, max_epochs=1, threads=1, output=output, look_ahead=look_ahead).fit(data, y)  # type: ignore[arg-type]
        whole = {"labels": "predict_proba", "values": "predict", "anomalies": "anomaly_scores"}[output]
        expected = getattr(model, whole)(data[:1])[0]
        stream = model.stream()
        for _ in range(2):
            parts = [stream.feed(part) for part in np.split(data[0], cuts)]
            assert sum(map(len, parts)) == stream.told == max(0, 30 - (look_ahead or 0))
            parts.append(stream.finish())
            assert np.allclose(np.concatenate(parts).reshape(expected.shape), expected, rtol=0, atol=1e-6)
            with pytest.raises(DataError, match="has ended"):
                stream.feed(data[0])
            stream.reset()


def test_streams_need_a_causal_model(causal: Labeller) -> None:
    with pytest.raises(ConfigurationError, match="train one with look_ahead=0 or more"):
        Labeller(**SMALL).fit(X, Y).stream()
    with pytest.raises(DataError, match=r"expected steps \[T, 2\], got \[4, 3\]"):
        causal.stream().feed(np.zeros((4, 3)))


def test_steps_without_a_label_change_nothing_but_their_number() -> None:
    """A label that is masked is not learnt from: whichever it was, the weights are the same."""
    rng = np.random.default_rng(0)
    hidden = [rng.random(30) < 0.3 for _ in X]
    masked: list[Any] = [np.where(h, "", y) for h, y in zip(hidden, Y, strict=True)]
    as_none: list[Any] = [[None if h else str(label) for h, label in zip(hide, y, strict=True)]
                          for hide, y in zip(hidden, Y, strict=True)]  # fmt: skip
    first, second = Labeller(**SMALL).fit(X, masked), Labeller(**SMALL).fit(X, as_none)
    count = int(sum(h.sum() for h in hidden))
    assert f"{count} of 720 steps are without a label" in first.notes_[0]
    assert first.counts_.sum() == 720 - count
    assert np.array_equal(first.predict_proba(X)[0], second.predict_proba(X)[0])
    assert first.evaluate(X, masked)["steps"] == 720 - count
    assert not np.array_equal(first.predict_proba(X)[0], Labeller(**SMALL).fit(X, Y).predict_proba(X)[0])


def test_values_are_told_in_their_units() -> None:
    target = [np.stack([1000 + 50 * x[:, 0], -x[:, 0]], axis=1) for x in X]
    target[0][3, 1] = np.nan
    model = Labeller(8, output="values", max_epochs=100, patience=None, threads=1).fit(X, target)
    found = model.evaluate(X, target)
    assert model.predict(X)[0].shape == (30, 2)
    assert found["r2"] > 0.8
    assert found["rmse"] < 0.4 * found["baseline"]["rmse"]


def test_anomalies_are_found() -> None:
    rng, steps = np.random.default_rng(0), np.arange(300)
    normal = [np.sin(steps / 5 + k)[:, None] + 0.05 * rng.normal(size=(300, 1)) for k in range(8)]
    model = Labeller(16, output="anomalies", max_epochs=60, alarm=0.001, threads=1).fit(normal)
    strange = np.sin(steps / 5)[:, None] + 0.05 * rng.normal(size=(300, 1))
    strange[150:155] += 1.0
    marks = ((steps >= 150) & (steps < 155)).astype(int)
    found = model.evaluate([strange], [marks])
    assert found["event_recall"] == 1.0
    assert model.anomaly_scores([strange])[0][150] > 2 * model.surprise_.threshold
    assert model.predict([strange])[0].dtype == bool


def test_class_weights_move_what_is_rare() -> None:
    rare = [np.where(np.arange(30) == 7, "high", "low") for _ in X]
    plain = Labeller(8, max_epochs=40, threads=1).fit(X, rare)
    weighted = Labeller(8, max_epochs=40, threads=1, class_weight="balanced").fit(X, rare)
    assert weighted.predict_proba(X)[0][:, 0].mean() > plain.predict_proba(X)[0][:, 0].mean() + 0.1
    with pytest.raises(ConfigurationError, match="class_weight had others learnt"):
        weighted.log_likelihoods(X)


def test_scaled_likelihoods_are_posteriors_over_priors(causal: Labeller) -> None:
    assert causal.priors_.sum() == pytest.approx(1)
    found, told = causal.log_likelihoods(X)[5], causal.predict_proba(X)[5]
    assert np.allclose(np.exp(found) * causal.priors_, told)


@pytest.mark.parametrize("output", ["labels", "values", "anomalies"])
def test_a_folder_gives_the_same_model_back(output: Any, tmp_path: Path) -> None:
    y = {"labels": Y, "values": [x[:, 0] for x in X], "anomalies": None}[output]
    model = Labeller(**SMALL, output=output).fit(X, y)
    model.save(tmp_path / "m")
    again = gatewise.load(tmp_path / "m")
    assert isinstance(again, Labeller)
    assert all(np.array_equal(a, b) for a, b in zip(model.predict(X), again.predict(X), strict=True))
    assert again.get_params() == model.get_params()
    assert (again.notes_, again.history_, again.validation_) == (model.notes_, model.history_, model.validation_)
    assert "labeller" in (tmp_path / "m" / "README.md").read_text()
    with pytest.raises(ModelFolderError, match='holds a model of the task "label"'):
        gatewise.Classifier.load(tmp_path / "m")


def test_a_model_starts_from_another(causal: Labeller) -> None:
    plan = Labeller(**SMALL).plan(X, Y)
    assert plan.parameters == sum(p.numel() for p in Labeller(**SMALL).fit(X, Y).network_.parameters())
    Labeller(**SMALL, look_ahead=3).fit(X, Y, init_from=causal)
    with pytest.raises(ConfigurationError, match="other shapes"):
        Labeller(**SMALL).fit(X, Y, init_from=causal)


def table() -> pa.Table:
    rows = [(k, t, *X[k][t], Y[k][t]) for k in range(6) for t in range(30)]
    order = np.random.default_rng(0).permutation(len(rows))
    columns = list(zip(*(rows[i] for i in order), strict=True))
    return pa.table(dict(zip(("id", "time", "a", "b", "label"), columns, strict=True)))


def test_a_table_is_read_in_the_order_of_its_time_stamps() -> None:
    steps = read_steps(table(), None, Columns(), (), labelled=True)
    ids = steps.sequences.ids
    assert ids is not None
    assert steps.labels is not None
    for i, name in enumerate(ids):
        assert np.array_equal(steps.sequences[i], X[int(name)])
        assert np.array_equal(steps.labels[steps.of(i)], Y[int(name)])


def test_folders_of_recordings_with_phones(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    for k in range(4):
        soundfile.write(tmp_path / f"{k}.wav", 0.1 * rng.normal(size=8000), 16000)
        (tmp_path / f"{k}.phn").write_text("0 4000 sil\n4000 8000 aa\n")
    model = Labeller(hidden_size=4, max_epochs=1, threads=1).fit(tmp_path)
    assert model.classes_.tolist() == ["aa", "sil"]
    assert model.n_features_in_ == SpeechFeatures("mfcc", coefficients=13, differences=2).size
    assert model.evaluate(tmp_path)["steps"] == 4 * 48
    (tmp_path / "2.wav").unlink()
    with pytest.raises(DataError, match=r"1 recordings are missing: .*2\.wav"):
        model.evaluate(tmp_path)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"output": "label"}, 'output is "label", did you mean "labels"'),
        ({"look_ahead": -1}, "look_ahead is -1, expected a whole number of at least 0"),
        ({"output": "anomalies", "look_ahead": 0}, "leave look_ahead out"),
        ({"output": "anomalies", "validation": 0}, "judged by the errors on a validation part"),
        ({"output": "values", "class_weight": "balanced"}, 'class_weight is for output="labels"'),
        ({"alarm": 1}, "alarm is 1, expected a number between 0 and 1"),
        ({"stretch": 1}, "stretch is 1, expected a whole number of at least 2"),
        ({"class_weight": {"hihg": 2}}, 'did you mean "high"'),
    ],
)
def test_parameters_that_cannot_be_meant(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        Labeller(**{**SMALL, **changes}).fit(X, None if changes.get("output") == "anomalies" else Y)


@pytest.mark.parametrize(
    ("y", "fault"),
    [
        (None, "y is None and X brings no labels"),
        (Y[:5], "expected labels for each of 24 sequences, got 5"),
        ([y[1:] for y in Y], r"y of sequence 0 is \[29\], expected one label for each of its 30 steps"),
        ([np.full(30, "") for _ in Y], "no step has a label"),
        ([np.full(30, "low") for _ in Y], 'every labelled step has the label "low"'),
        ([np.full(30, 0.5) for _ in Y], "train with output='values'"),
    ],
)
def test_labels_that_cannot_be_learnt(y: Any, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        Labeller(**SMALL).fit(X, y)


def test_what_does_not_fit_the_model(causal: Labeller) -> None:
    with pytest.raises(DataError, match="have 1 channels, the model was trained on 2"):
        causal.predict([X[0][:, :1]])
    with pytest.raises(DataError, match=r'never seen in training: "hihg" .* did you mean "high"'):
        causal.evaluate(X[:1], [np.full(30, "hihg")])
    with pytest.raises(ConfigurationError, match='this one has output="labels"'):
        causal.anomaly_scores(X)
    with pytest.raises(DataError, match="1 in an anomaly and 0 elsewhere"):
        Labeller(**SMALL, output="anomalies").fit(X, [np.full(30, 2) for _ in X])
