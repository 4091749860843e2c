"""From a file to a model to predictions and a report, through the commands."""

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from gatewise.data import read_table
from gatewise.tasks import Classifier, Forecaster, load
from gatewise.tasks.classification import training_set
from tests.cli.program import TINY, Outcome, Program, sales, shops, strokes, waves, write

FORECAST = ("train", "forecast", "sales.csv", "--target", "sales", "--horizon", "3", *TINY)
CLASSIFY = ("train", "classify", "waves.ts", *TINY)
MODEL_FILES = {"model.safetensors", "config.json", "metrics.json", "README.md"} | {
    "train.toml", "report.html", "report.json", "log.jsonl"
}  # fmt: skip


@pytest.fixture
def data(here: Path) -> Path:
    write("sales.csv", sales())
    write("shops.csv", shops())
    write("waves.ts", waves())
    write("strokes.csv", strokes())
    return here


def answer(outcome: Outcome) -> dict[str, Any]:
    """The one JSON object on stdout, of an outcome that went well and said nothing else."""
    assert outcome.code == 0, outcome
    assert outcome.err == ""
    assert outcome.out.count("\n") == 1
    return json.loads(outcome.out)


def test_a_forecaster_is_trained_evaluated_and_used(gatewise: Program, data: Path) -> None:
    trained = answer(gatewise(*FORECAST, "--holdout", "6", "--out", "deep/model", "--json"))
    assert trained["evaluated_on"] == "held_out"
    assert (trained["task"], trained["model"], trained["interrupted"]) == ("forecast", "deep/model", False)
    assert {path.name for path in Path("deep/model").iterdir()} == MODEL_FILES
    assert [path.name for path in Path("deep").iterdir()] == ["model"]
    metrics = json.loads(Path("deep/model/metrics.json").read_text())
    assert metrics["held_out"] == trained["metrics"]

    # the held-out rows were not trained on: the model ends where the rest of the table does
    model = load("deep/model")
    assert isinstance(model, Forecaster)
    assert model.trained_until_ == "2024-02-03"
    scores = answer(gatewise("evaluate", "deep/model", "sales.csv", "--windows", "2", "--json"))
    assert {name: scores[name] for name in trained["metrics"]} == trained["metrics"]
    assert scores["mae"] > 0
    assert scores["baseline"]["mae"] > 0

    written = answer(gatewise("predict", "deep/model", "sales.csv", "--out", "next.csv", "--json"))
    assert written["columns"] == ["day", "forecast", "q0.1", "q0.5", "q0.9"]
    rows = read_table("next.csv").to_pylist()
    assert [str(row["day"]) for row in rows] == ["2024-02-10", "2024-02-11", "2024-02-12"]
    expected = model.predict(read_table("sales.csv")).to_pylist()
    assert [row["forecast"] for row in rows] == pytest.approx([row["forecast"] for row in expected], rel=1e-12)


def test_scores_of_rows_a_model_was_trained_on_are_called_so(gatewise: Program, models: Path) -> None:
    assert answer(gatewise("evaluate", "sales", "sales.csv", "--json"))["seen_in_training"] == 0
    assert answer(gatewise("evaluate", "sales", "sales.csv", "--windows", "3", "--json"))["seen_in_training"] == 6
    told = gatewise("evaluate", "sales", "sales.csv", "--windows", "3")
    assert told.code == 0
    assert "6 of 9 forecasts are of rows it has seen" in told.err


def test_several_series_with_every_kind_of_covariate(gatewise: Program, data: Path) -> None:
    lines = shops()
    lines[0] += ",rain,open"
    lines[1:] = [f"{line},{k % 5},{k % 2}" for k, line in enumerate(lines[1:])]
    for k, shop in enumerate(("a,Bonn", "b,Graz")):
        lines += [f"{shop},2024-01-31,,,{k}", f"{shop},2024-02-01,,,1"]
    write("shops.csv", lines)
    options = ("--id", "shop", "--static", "city", "--past", "rain", "--future", "open", "--time", "day")
    argv = ("train", "forecast", "shops.csv", "--target", "sales", "--horizon", "2", *options, *TINY)
    trained = answer(gatewise(*argv, "--out", "model", "--json"))
    assert trained["evaluated_on"] == "validation"
    gatewise("predict", "model", "shops.csv", "--out", "next.parquet")
    rows = pq.read_table("next.parquet").to_pylist()
    assert [(row["shop"], str(row["day"])[:10]) for row in rows] == [
        (shop, day) for shop in "ab" for day in ("2024-01-31", "2024-02-01")
    ]


def test_ids_of_digits_stay_as_they_are_written_in_compressed_files_too(gatewise: Program, data: Path) -> None:
    lines = shops()
    lines = [lines[0], *(line.replace("a,", "007,", 1).replace("b,", "07,", 1) for line in lines[1:])]
    write("shops.csv.gz", gzip.compress("\n".join(lines).encode()))
    argv = ("train", "forecast", "shops.csv.gz", "--target", "sales", "--horizon", "2", "--id", "shop", *TINY)
    assert gatewise(*argv, "--out", "model", "--holdout", "2", "--quiet").code == 0
    assert answer(gatewise("evaluate", "model", "shops.csv.gz", "--json"))["windows"] == 2
    assert gatewise("predict", "model", "shops.csv.gz", "--out", "next.csv").code == 0
    assert [line.split(",")[0] for line in Path("next.csv").read_text().splitlines()] == [
        "shop", '"007"', '"007"', '"07"', '"07"'
    ]  # fmt: skip


def grouped_strokes() -> list[str]:
    """Strokes of four writers, each of whom wrote both letters."""
    lines = strokes()
    return [f"{lines[0]},writer", *(f"{line},w{int(line.split(',')[0][1:]) // 2 % 4}" for line in lines[1:])]


def test_whole_groups_of_a_table_are_held_out(gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("strokes.csv", grouped_strokes())
    held: list[Any] = []
    parts = training_set.validation_parts

    def spy(targets: Any, groups: Any, **options: Any) -> Any:
        found = parts(targets, groups, **options)
        held.extend((groups, part) for part in found[0])
        return found

    monkeypatch.setattr(training_set, "validation_parts", spy)
    argv = ("train", "classify", "strokes.csv", "--id", "stroke", "--label", "letter", *TINY)
    trained = answer(gatewise(*argv, "--group", "writer", "--test", "strokes.csv", "--out", "model", "--json"))
    assert "Each member holds out 15% of the groups" in trained["notes"][1]
    (groups, part) = held[0]
    assert len(set(groups)) == 4
    assert len(set(groups[part])) == 1
    assert len(part) == 6
    assert 'group = "writer"' in Path("model/train.toml").read_text()
    # The column is no channel, and prediction does without it.
    assert "channels: step, x, y" in Path("model/README.md").read_text()
    write("new.csv", [line.rpartition(",")[0] for line in grouped_strokes()])
    assert answer(gatewise("evaluate", "model", "new.csv", "--json"))["sequences"] == 24


@pytest.mark.parametrize(
    ("file", "options"),
    [("waves.ts", ()), ("strokes.csv", ("--id", "stroke", "--time", "step", "--label", "letter", "--channels", "x,y"))],
)
def test_a_classifier_is_trained_evaluated_and_used(
    file: str, options: tuple[str, ...], gatewise: Program, data: Path
) -> None:
    trained = answer(gatewise("train", "classify", file, *options, *TINY, "--test", file, "--out", "model", "--json"))
    assert trained["evaluated_on"] == "held_out"
    assert trained["metrics"]["baseline"]["accuracy"] == 0.5
    assert {path.name for path in Path("model").iterdir()} == MODEL_FILES
    scores = answer(gatewise("evaluate", "model", file, "--json"))
    assert {name: scores[name] for name in trained["metrics"]} == trained["metrics"]

    gatewise("predict", "model", file, "--out", "labels.csv")
    table = read_table("labels.csv")
    assert table.column_names == ["sequence", "label", "p_fast", "p_slow"]
    rows = table.to_pylist()
    assert [row["sequence"] for row in rows] == ([f"s{k}" for k in range(24)] if options else list(range(24)))
    assert all(row["p_fast"] + row["p_slow"] == pytest.approx(1) for row in rows)
    assert all(row["label"] == ("fast" if row["p_fast"] > row["p_slow"] else "slow") for row in rows)
    right = [row["label"] == ("slow", "fast")[k % 2] for k, row in enumerate(rows)]
    assert sum(right) / 24 == pytest.approx(scores["accuracy"])


@pytest.mark.parametrize(("argv", "model"), [(FORECAST, "sales"), (CLASSIFY, "waves")])
def test_people_read_where_things_are_and_what_is_next(
    argv: tuple[str, ...], model: str, gatewise: Program, data: Path
) -> None:
    outcome = gatewise(*argv, "--out", model)
    assert outcome.code == 0
    assert outcome.err.startswith("- ")
    for text in (f"{model}/report.html", f"{model}/train.toml", f"gatewise predict {model} {argv[2]} --out"):
        assert text in outcome.out
    scores = gatewise("evaluate", model, argv[2])
    assert "metric" in scores.out
    assert {"sales": "seasonal naive", "waves": "always"}[model] in scores.out
    again = gatewise(*argv, "--out", model, "--overwrite", "--quiet")
    assert (again.code, again.err) == (0, "")


def test_the_settings_beside_a_model_repeat_it(gatewise: Program, data: Path) -> None:
    options = ("--past", "rain", "--past", "weather", "--quantiles", "0.2,0.8", "--seed", "3", "--holdout", "3")
    assert gatewise(*FORECAST, *options, "--periods", "7", "--out", "one").code == 0
    settings = tomllib.loads(Path("one/train.toml").read_text())
    assert settings["past"] == ["rain", "weather"]
    assert settings["quantiles"] == [0.2, 0.8]
    assert (settings["task"], settings["seed"], settings["holdout"], settings["periods"]) == ("forecast", 3, 3, [7])
    assert "max_minutes" not in settings
    assert gatewise("train", "forecast", "sales.csv", "--config", "one/train.toml", "--out", "two").code == 0
    for name in ("model.safetensors", "metrics.json"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()
    assert Path("two/train.toml").read_text().splitlines()[2:] == Path("one/train.toml").read_text().splitlines()[2:]


def test_the_command_line_wins_over_the_file(gatewise: Program, data: Path) -> None:
    write("my.toml", 'target = "rain"\nhorizon = 2\nmembers = 1\nmax_epochs = 1\nhidden_size = 4\nseed = 5\n')
    gatewise("train", "forecast", "sales.csv", "--config", "my.toml", "--target", "sales", "--seed", "6", "--out", "m")
    model = load("m")
    assert isinstance(model, Forecaster)
    assert (model.target, model.horizon, model.seed, model.hidden_size) == ("sales", 2, 6, 4)


def test_a_value_can_be_set_to_none(gatewise: Program, data: Path) -> None:
    assert gatewise(*CLASSIFY, "--patience", "none", "--class-weight", "slow=2,fast=1", "--out", "one").code == 0
    model = load("one")
    assert isinstance(model, Classifier)
    assert (model.patience, model.class_weight) == (None, {"slow": 2.0, "fast": 1.0})
    assert tomllib.loads(Path("one/train.toml").read_text())["patience"] == "none"
    assert gatewise("train", "classify", "waves.ts", "--config", "one/train.toml", "--out", "two").code == 0
    again = load("two")
    assert isinstance(again, Classifier)
    assert (again.patience, again.class_weight) == (None, {"slow": 2.0, "fast": 1.0})


def test_classes_that_are_numbers_can_be_weighted(gatewise: Program, data: Path) -> None:
    write("strokes.csv", [line.replace("slow", "0").replace("fast", "1") for line in strokes()])
    argv = ("train", "classify", "strokes.csv", "--id", "stroke", "--label", "letter", *TINY)
    assert gatewise(*argv, "--class-weight", "1=3", "--out", "model").code == 0
    model = load("model")
    assert isinstance(model, Classifier)
    assert model.class_weight == {1: 3.0}
    refused = gatewise(*argv, "--class-weight", "one=3", "--out", "other")
    assert refused.code == 2
    assert "'one'" in refused.err


def test_training_goes_on_from_a_model(gatewise: Program, models: Path) -> None:
    write("settings.toml", Path("waves/train.toml").read_text())
    argv = ("train", "classify", "waves.ts", "--config", "settings.toml", "--init-from", "waves", "--out", "on")
    assert gatewise(*argv).code == 0
    assert tomllib.loads(Path("on/train.toml").read_text())["init_from"] == "waves"
    first = [json.loads(line)["loss"] for line in Path("waves/log.jsonl").read_text().splitlines()]
    then = [json.loads(line)["loss"] for line in Path("on/log.jsonl").read_text().splitlines()]
    assert then[0] != first[0]


def test_reports_are_written_with_and_without_data(gatewise: Program, models: Path) -> None:
    trained = Path("sales/report.html").read_text()
    assert answer(gatewise("report", "sales", "--json"))["report"] == "sales/report.html"
    assert Path("sales/report.html").read_text() == trained
    assert "seasonal naive" in trained

    Path("sales/report.json").unlink()
    assert gatewise("report", "sales", "--out", "plain.html").code == 0
    plain = Path("plain.html").read_text()
    assert "Forecasts of sales" in plain
    assert len(plain) < len(trained)

    assert gatewise("report", "waves", "waves.ts", "--out", "waves.html").code == 0
    page = Path("waves.html").read_text()
    assert "Confusion" in page
    assert "24 sequences" in page


def test_doctor_names_versions_backends_threads_and_devices(gatewise: Program) -> None:
    found = answer(gatewise("doctor", "--json"))
    assert found["packages"]["torch"].startswith("2.")
    assert found["threads"]["torch"] >= 1
    assert found["devices"][0]["name"] == "cpu"
    assert found["backends"]["cpu"] == {"torch": None, "cpu": None, "reference": None}
    told = gatewise("doctor").out
    for text in (found["python"], found["packages"]["torch"], "backend torch on cpu", "threads"):
        assert text in told


def test_version_and_help(gatewise: Program) -> None:
    assert gatewise("--version").out.startswith("gatewise 0.")
    assert "train" in gatewise().out
    assert "classify" in gatewise("train").out
    shown = gatewise("train", "forecast", "--help").out
    for text in ("--target", "--max-minutes", "Columns", "Examples", "error|mask|interpolate"):
        assert text in shown


@pytest.mark.parametrize("argv", [(*FORECAST, "--holdout", "3"), (*CLASSIFY, "--test", "waves.ts")])
def test_a_dry_run_says_what_would_be_trained_and_trains_nothing(
    argv: tuple[str, ...], gatewise: Program, data: Path
) -> None:
    before = sorted(path.name for path in data.iterdir())
    outcome = gatewise(*argv, "--dry-run")
    assert outcome.code == 0
    assert "lstm (LSTM)" in outcome.out
    assert "weight_hh_l0" in outcome.out
    assert "16 x 4" in outcome.out
    facts = dict(line.split(maxsplit=1) for line in outcome.out.splitlines() if line[:1].isalpha())
    assert facts["epochs"].startswith("at most 2, of ")
    assert facts["trained"] == "nothing"
    found = answer(gatewise(*argv, "--dry-run", "--json", "--out", "model"))
    numbers = [int(np.prod(shape)) for layer in found["layers"] for shape in layer["parameters"].values()]
    assert found["parameters"] == sum(numbers)
    assert sorted(path.name for path in data.iterdir()) == before


def test_a_dry_run_refuses_what_a_training_would(gatewise: Program, data: Path) -> None:
    outcome = gatewise(*FORECAST, "--hidden-size", "0", "--dry-run")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: hidden_size is 0")


@pytest.mark.parametrize("argv", [FORECAST, CLASSIFY])
def test_a_learning_rate_is_looked_for_and_nothing_trained(
    argv: tuple[str, ...], gatewise: Program, data: Path
) -> None:
    before = sorted(path.name for path in data.iterdir())
    outcome = gatewise(*argv, "--find-learning-rate")
    assert outcome.code == 0, outcome.err
    facts = dict(line.split(maxsplit=1) for line in outcome.out.splitlines() if line[:1].isalpha())
    assert facts["suggested"].startswith("--learning-rate ")
    assert outcome.out.count("<- suggested") == 1
    found = answer(gatewise(*argv, "--find-learning-rate", "--json"))
    assert f"{found['suggested']:.2g}" in facts["suggested"]
    assert sorted(path.name for path in data.iterdir()) == before
    outcome = gatewise(*argv, "--find-learning-rate", "--dry-run")
    assert (outcome.code, outcome.out) == (2, "")
    assert "one at a time" in outcome.err
