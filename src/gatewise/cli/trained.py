"""What is done with a trained model: `gatewise evaluate`, `gatewise predict`, `gatewise report`."""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.cli.output import print_facts, print_json, print_metrics, print_note
from gatewise.errors import ConfigurationError, DataError, ModelFolderError

REPORT_CONTENT = "report.json"  # what the report of the training says, to be drawn again

if TYPE_CHECKING:
    import pyarrow as pa

    from gatewise.data import Ragged
    from gatewise.reports import Report
    from gatewise.tasks import Classifier, Forecaster


def evaluate(model: Path, data: Path, windows: int, leaderboard: bool, as_json: bool) -> None:
    """Score a model on data with the truth, beside its baseline, or with a leaderboard of simple methods."""
    from gatewise.cli.steps import evaluate_labeller
    from gatewise.cli.transcripts import evaluate_transcriber
    from gatewise.tasks import Forecaster, Generator, Labeller, Transcriber, load

    estimator = load(model).set_params(progress=not as_json)
    with warnings_on_stderr():
        if isinstance(estimator, Forecaster):
            backtest = estimator.backtest(_table(estimator, data), windows=windows)
            seen = int(estimator.seen(backtest.times).sum())
            task, metrics = "forecast", {**backtest.metrics(), "seen_in_training": seen}
            if leaderboard:
                metrics["leaderboard"] = estimator.leaderboard(backtest)
            if seen and not as_json:
                print_note(
                    f"note: the model was trained until {estimator.trained_until_}: {seen} of {backtest.times.size} "
                    "forecasts are of rows it has seen, so these scores flatter it; train with --holdout, or "
                    "give new rows"
                )
        elif leaderboard:
            raise ConfigurationError("--leaderboard is for forecasts, and this model makes none; leave it out")
        elif windows != 1:
            does = {Transcriber: "reads", Generator: "writes", Labeller: "labels"}.get(type(estimator), "classifies")
            raise ConfigurationError(f"--windows is for forecasts; this model {does} whole sequences")
        elif isinstance(estimator, Transcriber):
            task, metrics = "transcribe", evaluate_transcriber(estimator, data, as_json)
        elif isinstance(estimator, Generator):
            metrics = estimator.evaluate(data)
            task = "generate"
            metrics["baseline"] = {"name": estimator.baseline_name_, **metrics["baseline"]}
        elif isinstance(estimator, Labeller):
            task, metrics = "label", evaluate_labeller(estimator, data)
        else:
            task, metrics = "classify", _evaluate(estimator, data)
    if as_json:
        print_json({"task": task, "model": str(model), "data": str(data), **metrics})
    else:
        print_metrics(metrics, f"{model} on {data}")


def predict(model: Path, given: Sequence[Path], out: Path | None, as_json: bool) -> None:
    """Write forecasts, labels with their probabilities, values, or texts, to a table file; or print texts."""
    from gatewise.cli.steps import labelled
    from gatewise.cli.transcripts import transcribe
    from gatewise.data.table import SUFFIXES, write_table
    from gatewise.tasks import Forecaster, Generator, Labeller, Transcriber, load

    # known before the work as well as after it
    if out is not None:
        check_file(out, SUFFIXES)
    estimator = load(model).set_params(progress=not as_json)
    if isinstance(estimator, Transcriber):
        transcribe(estimator, model, given, out, as_json)
        return
    if isinstance(estimator, Generator):
        raise ConfigurationError(f"this model writes on: gatewise generate {model} (and evaluate scores texts)")
    if out is None:
        raise ConfigurationError(
            "missing --out FILE: say which table is to hold the predictions (see gatewise predict --help)"
        )
    if len(given) > 1:
        raise ConfigurationError(f"this model takes one file, got {len(given)}: {', '.join(map(str, given))}")
    data = given[0]
    with warnings_on_stderr():
        if isinstance(estimator, Forecaster):
            task, table = "forecast", estimator.predict(_table(estimator, data))
        elif isinstance(estimator, Labeller):
            task, table = "label", labelled(estimator, data)
        else:
            task, table = "classify", _classified(estimator, data)
    write_table(table, out)
    if as_json:
        found = {"rows": table.num_rows, "columns": table.column_names}
        print_json({"task": task, "model": str(model), "data": str(data), "out": str(out), **found})
    else:
        print_facts({"predictions": str(out), "rows": str(table.num_rows), "columns": ", ".join(table.column_names)})


def report(model: Path, data: Path | None, out: Path | None, windows: int, as_json: bool) -> None:
    """Write the HTML report of a model, with forecasts or a confusion matrix where there is data."""
    from gatewise.reports import write_report
    from gatewise.reports.classification import classification_report
    from gatewise.reports.forecast import forecast_report
    from gatewise.reports.generation import generation_report
    from gatewise.reports.labelling import labelling_report
    from gatewise.reports.transcription import transcription_report
    from gatewise.tasks import Forecaster, Generator, Labeller, Transcriber, load

    goal = model / "report.html" if out is None else out
    if out is not None:
        check_file(out, (".html", ".htm"))
    estimator = load(model).set_params(progress=not as_json)
    with warnings_on_stderr():
        if isinstance(estimator, Forecaster):
            table = None if data is None else _table(estimator, data)
            task, content = "forecast", forecast_report(estimator, table, windows=windows)
        elif isinstance(estimator, Transcriber):
            task, content = "transcribe", transcription_report(estimator, data)
        elif isinstance(estimator, Generator):
            task, content = "generate", generation_report(estimator, data)
        elif isinstance(estimator, Labeller):
            task, content = "label", labelling_report(estimator, data)
        else:
            task, content = "classify", classification_report(estimator, data)
    if data is None:
        content = _kept(model) or content
    write_report(content, goal)
    if as_json:
        print_json({"task": task, "model": str(model), "report": str(goal)})
    else:
        print_facts({"report": str(goal)})


def _kept(model: Path) -> "Report | None":
    """The report of the training, which `train` leaves in the folder with the plots of its data."""
    from gatewise.reports import Report

    path = model / REPORT_CONTENT
    if not path.is_file():
        return None
    try:
        return Report.from_dict(json.loads(path.read_bytes()))
    except ValueError as error:
        raise ModelFolderError(f"{path} was altered: {error}. Delete it for a report without plots of data.") from error


def check_file(path: Path, suffixes: Sequence[str]) -> None:
    """That a file can be written under this name, before any work."""
    if path.suffix.lower() not in suffixes:
        raise ConfigurationError(f'cannot write "{path}": the name must end in one of {", ".join(suffixes)}')
    if path.is_dir():
        raise ConfigurationError(f'cannot write "{path}": it is a folder; give the name of a file')
    if not path.parent.is_dir():
        raise ConfigurationError(f'cannot write "{path}": the folder "{path.parent}" does not exist; create it first')


def _table(forecaster: "Forecaster", data: Path) -> "pa.Table":
    if data.suffix.lower() == ".ts":
        raise DataError(
            f'"{data}" is a .ts file of sequences, but this model forecasts a table: give a .csv or .parquet'
        )
    return forecaster.table(data)


def _classified(classifier: "Classifier", data: Path) -> "pa.Table":
    """One row a sequence: its id (or number, from 0), the label, and the probability of each class."""
    import pyarrow as pa

    sequences = classifier.sequences(data)
    probabilities = classifier.predict_proba(sequences)
    names = list(sequences.ids) if sequences.ids is not None else list(range(len(sequences)))
    columns: dict[str, Any] = {
        "sequence": pa.array(names),
        "label": pa.array(classifier.classes_[probabilities.argmax(1)].tolist()),
    }
    for k, label in enumerate(classifier.classes_):
        columns[f"p_{label}"] = pa.array(probabilities[:, k])
    return pa.table(columns)


def check_labels(sequences: "Ragged", name: str | Path) -> None:
    """That a file brought labels. Raises `DataError`."""
    if sequences.labels is None:
        raise DataError(
            f'"{name}" has no labels: a .ts file lists them after "@classLabel true", '
            'a table holds them in the column --label (else in the one called "label")'
        )


def _evaluate(classifier: "Classifier", data: Path) -> dict[str, Any]:
    sequences = classifier.sequences(data)
    check_labels(sequences, data)
    metrics = classifier.evaluate(sequences)
    return {**metrics, "baseline": {"name": classifier.baseline_name_, **metrics["baseline"]}}


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """Within, warnings meant for people are gathered; then each is said once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        print_note(f"note: {text}")
