"""The classifier learns ragged sequences, says what is wrong with bad input, and comes back from its folder."""

import json
import re
import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from gatewise.checksum import json_sha256
from gatewise.data import Ragged
from gatewise.errors import ConfigurationError, DataError, GatewiseError, ModelFolderError
from gatewise.tasks import Classifier, load
from gatewise.tasks.classification.objective import ClassifyBatch, ClassifyObjective

SMALL: dict[str, Any] = {"hidden_size": 8, "members": 2, "max_epochs": 25, "threads": 1}


def waves(count: int, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Ragged sequences `[T, 2]` of three classes: slow, fast, and noise."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for number in range(count):
        label = ("fast", "noise", "slow")[number % 3]
        steps = np.arange(rng.integers(12, 24))
        phase = rng.uniform(0, 2 * np.pi)
        rate = {"slow": 0.3, "fast": 1.2, "noise": 0.0}[label]
        clean = np.stack([np.sin(rate * steps + phase), np.cos(rate * steps + phase)], 1)
        X.append(100 + 10 * (rng.normal(size=clean.shape) if label == "noise" else clean))
        y.append(label)
    return X, np.array(y)


X, Y = waves(90)
X_TEST, Y_TEST = waves(30, seed=1)


@pytest.fixture(scope="module")
def model() -> Classifier:
    return Classifier(**SMALL).fit(X, Y)


def test_it_learns_and_says_how_well(model: Classifier) -> None:
    metrics = model.evaluate(X_TEST, Y_TEST)
    probabilities = model.predict_proba(X_TEST)
    predicted = model.predict(X_TEST)
    assert metrics["accuracy"] >= 0.9
    assert metrics["accuracy"] == model.score(X_TEST, Y_TEST) == np.mean(predicted == Y_TEST)
    assert metrics["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(Y_TEST, predicted))
    assert metrics["f1_macro"] == pytest.approx(f1_score(Y_TEST, predicted, average="macro"))
    assert metrics["log_loss"] == pytest.approx(log_loss(Y_TEST, probabilities))
    assert metrics["baseline"]["accuracy"] == pytest.approx(1 / 3)
    assert metrics["baseline"]["log_loss"] == pytest.approx(np.log(3))
    assert metrics["sequences"] == 30
    np.testing.assert_allclose(probabilities.sum(1), 1)
    labels, counts = model.confusion(X_TEST, Y_TEST)
    assert labels.tolist() == ["fast", "noise", "slow"]
    assert counts.sum(1).tolist() == [10, 10, 10]
    assert np.trace(counts) / 30 == metrics["accuracy"]
    assert set(model.validation_) == {"log_loss", "accuracy"}
    assert [run["name"] for run in model.history_] == ["member 1", "member 2"]
    assert any("3 classes" in note for note in model.notes_)


def test_a_prediction_does_not_depend_on_its_company(model: Classifier) -> None:
    together = model.predict_proba(X_TEST)
    alone = np.concatenate([model.predict_proba([x]) for x in X_TEST])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X_TEST[::-1])[::-1], together, atol=1e-6)


def test_every_form_of_x_means_the_same() -> None:
    equal = [x[:12] for x in X]
    parameters = {**SMALL, "members": 1, "max_epochs": 3}
    first = Classifier(**parameters).fit(equal, Y)
    expected = first.predict_proba(equal)
    ids = np.repeat([f"s{number}" for number in range(len(X))], 12)
    columns = {"id": ids, "label": np.repeat(Y, 12), "time": np.tile(np.arange(12), len(X))}
    values = np.concatenate(equal)
    table = pa.table({**columns, "a": values[:, 0], "b": values[:, 1]})
    shuffled = table.take(np.random.default_rng(0).permutation(len(ids)))
    ordered = Ragged.from_table(shuffled, "id", "time", label="label")
    order = np.argsort([int(name[1:]) for name in ordered.ids or ()])
    for form, labels in ((np.stack(equal), Y), (Ragged.from_arrays(equal, Y), None), (table, None)):
        other = Classifier(**parameters).fit(form, labels)
        assert np.array_equal(other.predict_proba(form), expected)
    fitted = Classifier(**parameters).fit(table)
    np.testing.assert_allclose(fitted.predict_proba(shuffled)[order], expected, atol=1e-6)
    # Labels and other columns may be missing or be there when the model predicts; it takes its own channels.
    assert np.array_equal(fitted.predict_proba(table.drop_columns("label")), expected)
    assert np.array_equal(fitted.predict_proba(table.append_column("more", table["a"])), expected)
    assert fitted.evaluate(table)["sequences"] == len(X)
    renamed = table.rename_columns(["key", "kind", "when", "a", "b"])
    named = Classifier(**parameters, id="key", time="when", label="kind", channels=["a", "b"]).fit(renamed)
    assert np.array_equal(named.predict_proba(renamed), expected)


def test_it_behaves_as_an_estimator() -> None:
    first = Classifier(**{**SMALL, "max_epochs": 3})
    again: Any = clone(first)
    assert again.get_params() == first.get_params()
    again.set_params(seed=1)
    copy: Any = clone(first)
    untrained: Any = clone(first)
    results = [m.fit(X, Y).predict_proba(X_TEST) for m in (first, copy, again)]
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
    with pytest.raises(NotFittedError):
        untrained.predict(X)


def test_whole_number_labels_stay_numbers() -> None:
    y = np.where(Y == "fast", 7, -2)
    model = Classifier(**{**SMALL, "max_epochs": 60}).fit(X, y)
    assert model.classes_.tolist() == [-2, 7]
    assert set(model.predict(X_TEST)) == {-2, 7}
    accuracy = model.score(X_TEST, np.where(Y_TEST == "fast", 7, -2))
    assert model.score(X_TEST, np.where(Y_TEST == "fast", "7", "-2")) == accuracy > 0.9


def test_missing_values_are_masked_inputs() -> None:
    rng = np.random.default_rng(0)
    torn = [np.where(rng.random(x.shape) < 0.3, np.nan, x) for x in X]
    torn_test = [np.where(rng.random(x.shape) < 0.3, np.nan, x) for x in X_TEST]
    model = Classifier(**{**SMALL, "max_epochs": 60}).fit(torn, Y)
    assert model.score(torn_test, Y_TEST) >= 0.8
    assert model.committee_.members[0].network.lstm.input_size == 6
    whole = Classifier(**{**SMALL, "max_epochs": 2}).fit(X, Y)
    with pytest.warns(UserWarning, match="training data had none"):
        whole.predict(torn_test)


def test_scalers_know_the_training_part_only() -> None:
    model = Classifier(**{**SMALL, "max_epochs": 1}).fit(X, Y)
    means = [member.preparation.scaler.mean for member in model.committee_.members]
    assert not np.array_equal(means[0], means[1])
    assert not np.array_equal(means[0], np.concatenate(X).mean(0))


def test_whole_groups_are_held_out() -> None:
    groups = np.arange(90) // 9
    grouped = Classifier(**{**SMALL, "max_epochs": 2}).fit(X, Y, groups)
    assert any("of the groups" in note for note in grouped.notes_)
    with pytest.raises(DataError, match="got 3 groups for 90 sequences"):
        Classifier(**SMALL).fit(X, Y, [1, 2, 3])


def test_too_small_classes_are_trained_without_validation() -> None:
    few, labels = [*X[:30:3], *X[1:7:3]], ["a"] * 10 + ["b"] * 2
    with pytest.warns(UserWarning, match=r"No validation part \(a class has 2 sequences"):
        model = Classifier(**{**SMALL, "max_epochs": 3, "patience": 1}).fit(few, labels)
    assert [len(run["epochs"]) for run in model.history_] == [3, 3]
    assert model.validation_ == {}
    assert "No validation part" in model.notes_[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Classifier(**{**SMALL, "max_epochs": 1}, validation=0.0).fit(few, labels)


def test_class_weights_move_the_decision() -> None:
    # Classes that cannot be told apart: only their frequencies and weights decide.
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=(5, 1)) for _ in range(60)]
    y = ["often"] * 48 + ["seldom"] * 12
    parameters = {**SMALL, "members": 1, "max_epochs": 40, "label_smoothing": 0.0}
    shares = []
    for weight in (None, "balanced", {"seldom": 100.0}):
        model = Classifier(**parameters, class_weight=weight).fit(noise, y)
        shares.append(model.predict_proba(noise)[:, 1].mean())
    assert shares[0] < 0.35 < shares[1] < 0.65 < shares[2]


def test_time_and_patience_stop_it() -> None:
    short = Classifier(**{**SMALL, "max_epochs": 500}, max_minutes=0.003).fit(X, Y)
    assert short.history_[0]["stopped"] == "max_minutes"
    assert short.notes_[-1] == "max_minutes shortened the training of 2 members."
    with pytest.warns(UserWarning, match="No validation"):
        Classifier(hidden_size=4, members=1, max_epochs=1).fit(X[:4], ["a", "b"] * 2)
    impatient = Classifier(**{**SMALL, "max_epochs": 200, "learning_rate": 0.05, "patience": 2}).fit(X, Y)
    assert {run["stopped"] for run in impatient.history_} == {"patience"}


def test_ctrl_c_keeps_the_members_trained_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    loss, calls = ClassifyObjective.loss, 0

    def counted(self: ClassifyObjective, batch: ClassifyBatch) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 60:
            signal.raise_signal(signal.SIGINT)
        return loss(self, batch)

    monkeypatch.setattr(ClassifyObjective, "loss", counted)
    model = Classifier(**{**SMALL, "max_epochs": 10, "members": 4}).fit(X, Y)  # 5 batches an epoch
    assert calls == 60
    assert model.interrupted_
    assert [(run["stopped"], len(run["epochs"])) for run in model.history_] == [("max_epochs", 10), ("interrupted", 1)]
    assert model.notes_[-1] == "Only 2 of 4 members were trained: training was interrupted."
    assert model.predict_proba(X_TEST).shape == (30, 3)


def test_observe_shows_the_gates(model: Classifier) -> None:
    seen = model.observe(X_TEST[:1])
    steps = len(X_TEST[0])
    assert {name: seen[name].shape for name in "ifoc"} == dict.fromkeys("ifoc", (steps, 8))
    assert all((seen[name] > 0).all() and (seen[name] < 1).all() for name in "ifo")
    assert np.array_equal(seen["input"], X_TEST[0])


def test_it_comes_back_from_its_folder(model: Classifier, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "model", metrics={"test": model.evaluate(X_TEST, Y_TEST)}, extra={"a.toml": ""})
    back = load(folder)
    assert isinstance(back, Classifier)
    assert np.array_equal(back.predict_proba(X_TEST), model.predict_proba(X_TEST))
    assert back.get_params() == model.get_params()
    assert (back.classes_ == model.classes_).all()
    assert (back.history_, back.notes_, back.validation_) == (model.history_, model.notes_, model.validation_)
    assert back.evaluate(X_TEST, Y_TEST) == model.evaluate(X_TEST, Y_TEST)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] == model.score(X_TEST, Y_TEST)
    card = (folder / "README.md").read_text()
    assert "fast (30), noise (30), slow (30)" in card
    assert re.search(r"- test accuracy: \S+", card)
    assert back.fit(X[:60], Y[:60]).score(X_TEST, Y_TEST) > 0.6
    with pytest.raises(ModelFolderError, match="already holds"):
        model.save(folder)


def test_numbers_as_weights_and_named_channels_come_back(tmp_path: Path) -> None:
    data = Ragged.from_arrays(X, np.where(Y == "fast", 1, 0), channels=["a", "b"])
    model = Classifier(**{**SMALL, "max_epochs": 1}, class_weight={1: 2.0}).fit(data)
    back = Classifier.load(model.save(tmp_path / "model"))
    assert back.class_weight == {1: 2.0}
    assert np.array_equal(back.predict(data), model.predict(data))
    swapped = Ragged.from_arrays(X, channels=["b", "a"])
    with pytest.raises(DataError, match=r"have the channels b, a; expected .* \(a, b\)"):
        back.predict(swapped)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(run="os.system"), "run: Extra inputs are not permitted"),
        (lambda c: c.pop("classes"), "classes: Field required"),
        (lambda c: c.update(masked="no"), "masked: Input should be a valid boolean"),
        (lambda c: c.update(counts=[1]), "1 counts for 3 classes"),
        (lambda c: c.update(classes=["b", "a", "c"]), "sorted"),
        (lambda c: c["scale"][0].pop(), "one number a channel and member"),
        (lambda c: c["scale"][0].__setitem__(0, 0.0), "every scale must be above 0"),
        (lambda c: c["parameters"].update(hiden_size=3), "hiden_size"),
        (lambda c: c["parameters"].update(hidden_size=9), r"9 hidden_size"),
        (lambda c: c["parameters"].update(dropout=2.0), "dropout is 2.0"),
    ],
)
def test_an_altered_configuration_is_refused(model: Classifier, tmp_path: Path, change: Any, message: str) -> None:
    path = model.save(tmp_path / "model") / "config.json"
    head = json.loads(path.read_text())
    change(head["config"])
    head["sha256"]["config.json"] = json_sha256(head["config"])
    path.write_text(json.dumps(head))
    with pytest.raises(ModelFolderError, match=message):
        load(path.parent)


def test_a_folder_of_another_task_is_refused(model: Classifier, tmp_path: Path) -> None:
    path = model.save(tmp_path / "model") / "config.json"
    path.write_text(path.read_text().replace('"classify"', '"clasify"', 1))
    with pytest.raises(ModelFolderError, match='unknown task "clasify", did you mean "classify"'):
        load(path.parent)
    with pytest.raises(ModelFolderError, match='of the task "clasify", expected "classify"'):
        Classifier.load(path.parent)


def test_it_starts_from_another_model(model: Classifier, tmp_path: Path) -> None:
    parameters = {**SMALL, "max_epochs": 1, "learning_rate": 1e-6, "average_decay": 0.0}
    folder = model.save(tmp_path / "model")
    warm = Classifier(**parameters).fit(X, Y, init_from=folder)
    assert warm.score(X_TEST, Y_TEST) == model.score(X_TEST, Y_TEST)
    with pytest.raises(ConfigurationError, match="other shapes"):
        Classifier(**{**parameters, "hidden_size": 9}).fit(X, Y, init_from=folder)
    with pytest.raises(ConfigurationError, match='knows the classes "fast", "noise", "slow"; these data have "fast"'):
        Classifier(**parameters).fit(X, np.where(Y == "slow", "noise", Y), init_from=model)


def bad(x: Any, y: Any = Y) -> Any:
    return lambda: Classifier(**SMALL).fit(x, y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (bad(X, ["a"] * 90), r'all 90 sequences have the one label "a".*at least two classes'),
        (bad(X, Y[:80]), "got 80 labels for 90 sequences"),
        (bad(X, None), "fit requires y to be passed"),
        (bad(X, [None, *Y[1:]]), "label 0 is missing"),
        (bad(X, np.arange(90) + 0.5), "y holds continuous values .*expected classes: text or whole numbers"),
        (bad([], []), "no sequences"),
        (bad([*X[:89], X[0][:, :1]]), "sequence 89 has 1 channels and sequence 0 has 2"),
        (bad([*X[:89], X[0] * np.inf]), "sequence 89, time step 1, channel 0: inf"),
        (bad([*X[:89], X[0][:0]]), "sequence 89 is empty"),
        (bad([*X[:89], X[0] * 1j]), "Complex data not supported: sequence 89"),
        (bad([x * [np.nan, 1] for x in X]), "channel 0 has no value"),
        (bad(pa.table({"key": [1], "x": [1.0]}), None), 'none is called "id".*There is: key, x'),
        (bad(pa.table({"id": [1], "x": [1.0]}), None), "fit requires y to be passed"),
        (bad("nowhere.csv", None), "nowhere"),
        (lambda: Classifier(**SMALL, label="lable").fit(pa.table({"id": [1], "x": [1.0], "label": ["a"]})), "lable"),
        (lambda: Classifier(**SMALL, id="ID").fit(pa.table({"id": [1], "x": [1.0], "label": ["a"]})), 'no column "ID"'),
    ],
)
def test_bad_training_data_is_one_clear_message(call: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


def test_bad_test_data_is_one_clear_message(model: Classifier) -> None:
    with pytest.raises(DataError, match="have 1 channels, the model was trained on 2"):
        model.predict([x[:, :1] for x in X_TEST])
    with pytest.raises(DataError, match=r'never seen in training: "fist" \(1 of 30 sequences\); did you mean "fast"'):
        model.evaluate(X_TEST, ["fist", *Y_TEST[1:]])
    with pytest.raises(DataError, match=r"never seen in training: 4 \(30 of 30"):
        model.confusion(X_TEST, [4] * 30)
    with pytest.raises(DataError, match="evaluate requires y"):
        model.evaluate(X_TEST)
    assert model.score(X_TEST[:2], ["fist", "fist"]) == 0.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_size": 0}, "hidden_size is 0, expected a whole number of at least 1"),
        ({"members": 1.5}, "members is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"dropout": 1.0}, "dropout is 1.0, expected a number from 0 to below 1"),
        ({"validation": "some"}, "validation is 'some'"),
        ({"mixing": -0.1}, "mixing is -0.1, expected a number of at least 0"),
        ({"bidirectional": "yes"}, "bidirectional is 'yes', expected True or False"),
        ({"patience": 0}, "patience is 0"),
        ({"max_epochs": 0}, "max_epochs is 0"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"max_minutes": -1}, "max_minutes is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_frames": 0}, "batch_frames is 0"),
        ({"class_weight": "balance"}, 'did you mean "balanced"'),
        ({"class_weight": {"fasd": 1.0}}, "class 'fasd', which does not occur: did you mean \"fast\""),
        ({"class_weight": {"fast": 0}}, "class_weight of 'fast' is 0"),
        ({"class_weight": 3}, "class_weight is 3"),
        ({"channels": "ab"}, "channels is 'ab', expected a sequence"),
        ({"id": 3}, "id is 3, expected the name of a column"),
        ({"device": "gpu"}, "device is 'gpu', expected \"cpu\""),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_bad_parameters_are_refused_at_fit(parameters: dict[str, Any], message: str) -> None:
    model = Classifier(**parameters)
    with pytest.raises(ConfigurationError, match=message):
        model.fit(X, Y)


def test_training_leaves_torch_as_it_was() -> None:
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    Classifier(**{**SMALL, "max_epochs": 1, "threads": threads + 1}).fit(X, Y).predict(X)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_a_failed_fit_leaves_the_model_as_it_was(model: Classifier) -> None:
    before = model.predict_proba(X_TEST)
    with pytest.raises(GatewiseError):
        model.fit(X, ["a"] * 90)
    assert np.array_equal(model.predict_proba(X_TEST), before)


def test_it_trains_in_half_precision_on_gradients_of_several_batches(tmp_path: Path) -> None:
    X, y = waves(60)
    model = Classifier(precision="bf16", accumulate=2, batch_size=8, **SMALL).fit(X, y)
    assert model.score(X, y) > 0.8
    again = Classifier.load(model.save(tmp_path / "model"))
    assert (again.precision, again.accumulate) == ("bf16", 2)
    assert again.predict(X).tolist() == model.predict(X).tolist()
    with pytest.raises(ConfigurationError, match='precision is "fp32"'):
        Classifier(precision="fp32").fit(X, y)


def test_it_trains_on_batches_of_so_many_steps() -> None:
    X, y = waves(60)
    steps = max(len(x) for x in X) * 10
    model = Classifier(batch_frames=steps, **SMALL)
    assert model.plan(X, y).batches >= sum(len(x) for x in X) * 0.8 / steps
    assert model.fit(X, y).score(X, y) > 0.8
