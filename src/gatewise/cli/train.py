"""`gatewise train`: from a file to a model folder with its report, its settings and its log."""

import json
import shlex
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.cli.configuration import read_config, render_config, resolve
from gatewise.cli.output import print_facts, print_json, print_metrics, print_note
from gatewise.cli.parameter import REQUIRED, Parameter, read_parameters
from gatewise.cli.trained import REPORT_CONTENT, check_labels
from gatewise.errors import ConfigurationError, DataError, nearest

if TYPE_CHECKING:
    from gatewise.data import Ragged
    from gatewise.reports import Report
    from gatewise.tasks.classification import Classifier
    from gatewise.tasks.forecasting import Forecaster

CONFIG, REPORT, LOG = "train.toml", "report.html", "log.jsonl"
INTERRUPTED = 130  # as shells say of a command that Ctrl-C ended
INIT_FROM = Parameter(
    "init_from", ("str",), optional=True, help="A model folder of the same task and sizes, whose weights to start from."
)
HOLDOUT = Parameter(
    "holdout", ("int",), default=0,
    help="Rows with a known target at the end of each series that are kept out of the training and forecast "
    "afterwards; a multiple of the horizon.",
)  # fmt: skip
TEST = Parameter(
    "test", ("str",), optional=True, help="A second file in the form of DATA, to evaluate on after the training."
)


@dataclass(frozen=True)
class Destination:
    """Where a training leaves its model, and how it speaks.

    Attributes:
        out: the model folder to make.
        overwrite: whether a model folder there may be replaced.
        as_json: whether to print one JSON object instead of tables.
        quiet: whether to leave out progress and notes.
    """

    out: Path
    overwrite: bool = False
    as_json: bool = False
    quiet: bool = False


def forecast_parameters() -> tuple[Parameter, ...]:
    """What can be set of `train forecast`: the Forecaster's parameters, and what only a training has."""
    found = [p for p in read_parameters("tasks/forecasting/forecaster.py", "Forecaster") if p.name != "progress"]
    # In Python both have a default, as scikit-learn asks; a command has to say what it forecasts, and how far.
    found = [replace(p, default=REQUIRED) if p.name in ("target", "horizon") else p for p in found]
    return (*found, HOLDOUT, INIT_FROM)


def classify_parameters() -> tuple[Parameter, ...]:
    """What can be set of `train classify`: the Classifier's parameters, and what only a training has."""
    found = [p for p in read_parameters("tasks/classification/classifier.py", "Classifier") if p.name != "progress"]
    return (*found, TEST, INIT_FROM)


def train_forecast(
    data: Path, given: Mapping[str, str | Sequence[str] | bool | None], config: Path | None, to: Destination
) -> int:
    """Train a forecaster on a table and write its folder; the exit code."""
    parameters = forecast_parameters()
    settings = resolve(parameters, given, _read(config, parameters, "forecast"))
    own = _without(settings, HOLDOUT, INIT_FROM)

    from gatewise.cli.holdout import check_holdout, without_last
    from gatewise.data import Roles, read_table
    from gatewise.reports.forecast import forecast_report
    from gatewise.tasks.forecasting import Forecaster

    holdout: int = settings["holdout"]
    windows = check_holdout(holdout, own["horizon"])
    _check_out(to)
    table = read_table(data, () if own["id"] is None else (own["id"],))
    forecaster = Forecaster(**own, progress=_progress(to))
    training = table
    if holdout:
        roles = Roles(own["target"], own["time"], own["id"], own["past"], own["future"], own["static"])
        training = without_last(table, roles, holdout)
    began = time.monotonic()
    with _warnings_as_notes(to):
        forecaster.fit(training, init_from=settings["init_from"])
    seconds = time.monotonic() - began
    if not _trained(forecaster):
        return _nothing_trained()
    held_out = forecaster.evaluate(table, windows=windows) if holdout else None
    report = forecast_report(forecaster, table, windows=max(windows, 1))
    run = _Run("forecast", data, to, parameters, settings, seconds)
    return run.finish(forecaster, report, held_out, f"the last {holdout} rows of each series, held out")


def train_classify(
    data: Path, given: Mapping[str, str | Sequence[str] | bool | None], config: Path | None, to: Destination
) -> int:
    """Train a classifier on a table or a .ts file and write its folder; the exit code."""
    parameters = classify_parameters()
    settings = resolve(parameters, given, _read(config, parameters, "classify"))
    own = _without(settings, TEST, INIT_FROM)
    _check_out(to)

    from gatewise.reports.classification import classification_report
    from gatewise.tasks.classification import Classifier
    from gatewise.tasks.classification.inputs import Columns, read_sequences

    columns = Columns(own["id"], own["time"], own["label"], own["channels"], own["group"])
    sequences = read_sequences(data, columns, labelled=True, grouped=True)
    check_labels(sequences, data)
    test_file: str | None = settings["test"]
    test = None if test_file is None else read_sequences(Path(test_file), columns, labelled=True)
    own["class_weight"] = _weights_by_label(own["class_weight"], sequences)
    classifier = Classifier(**own, progress=_progress(to))
    if test is not None and test_file is not None:
        _check_test(sequences, test, test_file)
    began = time.monotonic()
    with _warnings_as_notes(to):
        classifier.fit(sequences, init_from=settings["init_from"])
    seconds = time.monotonic() - began
    if not _trained(classifier):
        return _nothing_trained()
    held_out = None
    if test is not None:
        held_out = classifier.evaluate(test)
        held_out["baseline"] = {"name": classifier.baseline_name_, **held_out["baseline"]}
    report = classification_report(classifier, test)
    run = _Run("classify", data, to, parameters, settings, seconds)
    return run.finish(classifier, report, held_out, f"the test file {test_file}")


@dataclass(frozen=True)
class _Run:
    """A training that has ended: what is left is to write its folder and to say so."""

    task: str
    data: Path
    to: Destination
    parameters: tuple[Parameter, ...]
    settings: Mapping[str, Any]
    seconds: float

    def finish(
        self,
        estimator: "Forecaster | Classifier",
        report: "Report",
        held_out: Mapping[str, Any] | None,
        held_out_name: str,
    ) -> int:
        from gatewise.reports import render

        out = self.to.out
        command = ["gatewise", "train", self.task, str(self.data), "--config", str(out / CONFIG)]
        extra = {
            CONFIG: render_config(self.parameters, self.settings, self.task, shlex.join([*command, "--out", "..."])),
            REPORT: render(report),
            REPORT_CONTENT: json.dumps(report.to_dict()) + "\n",
            LOG: _log(estimator.history_),
        }
        metrics = {} if held_out is None else {"held_out": held_out}
        estimator.save(out, overwrite=self.to.overwrite, metrics=metrics, extra=extra)
        scores, where = (estimator.validation_, "the validation part of the training rows")
        if held_out is not None:
            scores, where = held_out, held_out_name
        if self.to.as_json:
            print_json(
                {
                    "task": self.task,
                    "data": str(self.data),
                    "model": str(out),
                    "report": str(out / REPORT),
                    "config": str(out / CONFIG),
                    "evaluated_on": "held_out" if held_out is not None else "validation" if scores else None,
                    "metrics": scores,
                    "validation": estimator.validation_,
                    "notes": estimator.notes_,
                    "interrupted": estimator.interrupted_,
                    "seconds": round(self.seconds, 3),
                }
            )
        else:
            if not self.to.quiet:
                for note in estimator.notes_:
                    print_note(f"- {note}")
            if scores:
                print_metrics(scores, f"On {where}")
            predict = ["gatewise", "predict", str(out), str(self.data), "--out", "predictions.csv"]
            print_facts(
                {
                    "model": str(out),
                    "report": str(out / REPORT),
                    "settings": str(out / CONFIG),
                    "trained in": f"{self.seconds:.1f} s",
                    "next": shlex.join(predict),
                }
            )
        if estimator.interrupted_:
            again = shlex.join([*command, "--init-from", str(out), "--out", f"{out}-continued"])
            print_note(f"interrupted: the best model so far is in {out}. To continue from it:\n  {again}")
            return INTERRUPTED
        return 0


def _read(config: Path | None, parameters: Sequence[Parameter], task: str) -> dict[str, Any]:
    return {} if config is None else read_config(config, parameters, task)


def _without(settings: Mapping[str, Any], *others: Parameter) -> dict[str, Any]:
    left_out = {parameter.name for parameter in others}
    return {name: value for name, value in settings.items() if name not in left_out}


def _check_out(to: Destination) -> None:
    """Before any work: a long training must not end at a name that is taken."""
    from gatewise.tasks.folder import check_writable

    check_writable(to.out, overwrite=to.overwrite)


def _progress(to: Destination) -> bool:
    return not (to.as_json or to.quiet)


def _trained(estimator: "Forecaster | Classifier") -> bool:
    return any(run["epochs"] for run in estimator.history_)


def _nothing_trained() -> int:
    print_note("interrupted before the first epoch had ended: there is no model yet, and nothing was written")
    return INTERRUPTED


def _log(history: Sequence[Mapping[str, Any]]) -> str:
    """One JSON line an epoch, with the run it belongs to."""
    rows = [{"run": run["name"], **row} for run in history for row in run["epochs"]]
    return "".join(json.dumps(row) + "\n" for row in rows)


@contextmanager
def _warnings_as_notes(to: Destination) -> Iterator[None]:
    """Warnings meant for people as one line each; `notes_` repeats them, so nothing is lost where they are silent."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        if not (to.quiet or to.as_json):
            print_note(f"note: {text}")


def _weights_by_label(weights: Any, sequences: "Ragged") -> Any:
    """Texts name the classes on the command line and in TOML; labels that are numbers need numbers."""
    if not isinstance(weights, Mapping) or sequences.labels is None or sequences.labels.dtype.kind == "U":
        return weights
    try:
        return {int(label): weight for label, weight in weights.items()}
    except ValueError as error:
        raise ConfigurationError(
            f"class_weight names a class that is no whole number, as the labels are: {error}"
        ) from error


def _check_test(training: "Ragged", test: "Ragged", name: str) -> None:
    """What the evaluation would refuse, before the training instead of after it."""
    import numpy as np

    check_labels(test, name)
    assert test.labels is not None
    assert training.labels is not None
    if test.n_channels != training.n_channels or (
        None not in (test.channels, training.channels) and test.channels != training.channels
    ):
        raise DataError(
            f'"{name}" has {_channels(test)}, the training data {_channels(training)}: both need the same, in one order'
        )
    known = {str(label) for label in training.labels}
    unseen = [str(label) for label in np.unique(test.labels) if str(label) not in known]
    if unseen:
        raise DataError(
            f'"{name}" has labels that the training data lacks: {", ".join(unseen[:10])}; {nearest(unseen[0], known)}. '
            "Leave these sequences out, or train with some of them."
        )


def _channels(sequences: "Ragged") -> str:
    names = f" ({', '.join(sequences.channels[:20])})" if sequences.channels else ""
    return f"{sequences.n_channels} channels{names}"
