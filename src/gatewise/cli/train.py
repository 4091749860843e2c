"""`gatewise train`: from a file to a model folder with its report, its settings and its log."""

import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.cli.configuration import read_config, resolve
from gatewise.cli.outcome import INTERRUPTED, Destination, Outcome
from gatewise.cli.output import print_note
from gatewise.cli.parameter import REQUIRED, Parameter, read_parameters
from gatewise.cli.plan import show_plan
from gatewise.cli.rates import show_rates
from gatewise.cli.run import CHECKPOINT_EVERY, KEEP, Order, TrainingRun
from gatewise.cli.trained import check_labels
from gatewise.errors import AudioWarning, CheckpointWarning, ConfigurationError, DataError, TrainingInterrupted, nearest

if TYPE_CHECKING:
    from gatewise.data import Ragged
    from gatewise.tasks.classification import Classifier
    from gatewise.tasks.forecasting import Forecaster
    from gatewise.tasks.generation import Generator
    from gatewise.tasks.labelling import Labeller
    from gatewise.tasks.transcription import Transcriber

INIT_FROM = Parameter(
    "init_from", ("str",), optional=True, help="A model folder of the same task and sizes, whose weights to start from."
)
HOLDOUT = Parameter(
    "holdout", ("int",), default=0,
    help="Rows with a known target at the end of each series that are kept out of the training and forecast "
    "afterwards; a multiple of the horizon.",
)  # fmt: skip
LEADERBOARD = Parameter(
    "leaderboard", ("bool",), default=False,
    help="Score the held-out rows also with naive, seasonal naive and AutoETS; needs --holdout and statsforecast.",
)  # fmt: skip
TEST = Parameter(
    "test", ("str",), optional=True, help="A second file in the form of DATA, to evaluate on after the training."
)
DONE = 0
OF_TRAINING = (INIT_FROM, CHECKPOINT_EVERY, KEEP)  # that every task has beside its estimator's parameters


def forecast_parameters() -> tuple[Parameter, ...]:
    """What can be set of `train forecast`: the Forecaster's parameters, and what only a training has."""
    found = [p for p in read_parameters("tasks/forecasting/forecaster.py", "Forecaster") if p.name != "progress"]
    # In Python both have a default, as scikit-learn asks; a command has to say what it forecasts, and how far.
    found = [replace(p, default=REQUIRED) if p.name in ("target", "horizon") else p for p in found]
    return (*found, HOLDOUT, LEADERBOARD, *OF_TRAINING)


def classify_parameters() -> tuple[Parameter, ...]:
    """What can be set of `train classify`: the Classifier's parameters, and what only a training has."""
    found = [p for p in read_parameters("tasks/classification/classifier.py", "Classifier") if p.name != "progress"]
    return (*found, TEST, *OF_TRAINING)


def label_parameters() -> tuple[Parameter, ...]:
    """What can be set of `train label`: the Labeller's parameters, and what only a training has."""
    found = [p for p in read_parameters("tasks/labelling/labeller.py", "Labeller") if p.name != "progress"]
    return (*found, TEST, *OF_TRAINING)


def transcribe_parameters() -> tuple[Parameter, ...]:
    """What can be set of `train transcribe`: the Transcriber's parameters, and what only a training has."""
    found = [p for p in read_parameters("tasks/transcription/transcriber.py", "Transcriber") if p.name != "progress"]
    return (*found, TEST, *OF_TRAINING)


def generate_parameters() -> tuple[Parameter, ...]:
    """What can be set of `train generate`: the Generator's parameters, and what only a training has."""
    found = [p for p in read_parameters("tasks/generation/generator.py", "Generator") if p.name != "progress"]
    return (*found, TEST, *OF_TRAINING)


def train_parameters() -> dict[str, tuple[Parameter, ...]]:
    """What can be set of each task, by its name."""
    return {
        "forecast": forecast_parameters(),
        "classify": classify_parameters(),
        "generate": generate_parameters(),
        "label": label_parameters(),
        "transcribe": transcribe_parameters(),
    }


def train(
    task: str,
    data: Path,
    given: Mapping[str, str | Sequence[str] | bool | None],
    config: Path | None,
    to: Destination,
) -> int:
    """Train a model of a task on a file and write its folder; the exit code."""
    parameters = train_parameters()[task]
    settings = resolve(parameters, given, {} if config is None else read_config(config, parameters, task))
    order = Order(task, data, parameters, settings, to.overwrite)
    with _workers(to) as leads:
        return carry_out(TrainingRun.begin(order, to.out) if to.trains and leads else TrainingRun(order, None), to)


def resume(
    folder: Path,
    data: Path | None,
    *,
    finish: bool,
    allow_changed_data: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Go on with a training that is in its folder; the exit code."""
    with _workers(Destination(folder)) as leads:
        how = TrainingRun.resume if leads else TrainingRun.follow
        run = how(
            folder, train_parameters(), data, finish=finish, allow_changed_data=allow_changed_data, overwrite=overwrite
        )
        return carry_out(run, Destination(run.out, run.order.overwrite, as_json, quiet or not leads))


@contextmanager
def _workers(to: Destination) -> Iterator[bool]:
    """Within, this process trains with the others that torchrun started; whether it is the one that says and writes."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield True
        return
    from gatewise.training.workers import joined

    with joined() as team:
        yield team is None or team.leads


def _leads() -> bool:
    """Whether this process is the one that says and writes."""
    if "gatewise.training.workers" not in sys.modules:
        return True
    from gatewise.training.workers import current_team

    team = current_team()
    return team is None or team.leads


def carry_out(run: TrainingRun, to: Destination) -> int:
    """Do what a training is asked for, from its beginning or from where it was interrupted; the exit code."""
    try:
        with run, _warnings_as_notes(to):
            if not to.trains and not _leads():
                return DONE
            if to.trains and _leads():
                _check_out(to)
            does = {
                "forecast": _forecast, "classify": _classify, "generate": _generate, "label": _label,
                "transcribe": _transcribe,
            }  # fmt: skip
            return does[run.order.task](run, to)
    except (TrainingInterrupted, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) and not run.saved:
            raise
        if not _leads():
            return INTERRUPTED
        print_note(run.how_to_go_on())
        return INTERRUPTED


def _forecast(run: TrainingRun, to: Destination) -> int:
    from gatewise.cli.holdout import check_holdout, check_leaderboard, without_last
    from gatewise.data import Roles, read_table
    from gatewise.reports.forecast import forecast_report
    from gatewise.tasks.forecasting import Forecaster

    order, settings = run.order, run.order.settings
    own = _without(settings, HOLDOUT, LEADERBOARD, *OF_TRAINING)
    holdout: int = settings["holdout"]
    windows = check_holdout(holdout, own["horizon"])
    ranked: bool = settings["leaderboard"]
    if ranked:
        check_leaderboard(holdout)
    table = read_table(order.path(order.data), () if own["id"] is None else (own["id"],))
    forecaster = Forecaster(**own, progress=_progress(to) and _leads())
    training = table
    if holdout:
        roles = Roles(own["target"], own["time"], own["id"], own["past"], own["future"], own["static"])
        training = without_last(table, roles, holdout)
    if not to.trains:
        return _look(forecaster, training, order, to)
    began = time.monotonic()
    forecaster.fit(training, checkpoints=run.start(), init_from=_start(order))
    seconds = time.monotonic() - began
    if not _leads():
        return DONE
    if not _trained(forecaster):
        return _nothing_trained()
    held_out = forecaster.evaluate(table, windows=windows, leaderboard=ranked) if holdout else None
    report = forecast_report(forecaster, table, windows=max(windows, 1), scores=held_out)
    named = f"the last {holdout} rows of each series, held out"
    code = Outcome(run, to, seconds).finish(forecaster, report, held_out, named)
    run.done()
    return code


def _classify(run: TrainingRun, to: Destination) -> int:
    from gatewise.reports.classification import classification_report
    from gatewise.tasks.classification import Classifier
    from gatewise.tasks.classification.inputs import Columns, read_sequences

    order, settings = run.order, run.order.settings
    own = _without(settings, TEST, *OF_TRAINING)
    columns = Columns(own["id"], own["time"], own["label"], own["channels"], own["group"])
    sequences = read_sequences(order.path(order.data), columns, labelled=True, grouped=True)
    check_labels(sequences, order.data)
    test_file: str | None = settings["test"]
    test = None if test_file is None else read_sequences(order.path(test_file), columns, labelled=True)
    own["class_weight"] = _weights_by_label(own["class_weight"], sequences)
    classifier = Classifier(**own, progress=_progress(to) and _leads())
    if test is not None and test_file is not None:
        _check_test(sequences, test, test_file)
    if not to.trains:
        return _look(classifier, sequences, order, to)
    began = time.monotonic()
    classifier.fit(sequences, checkpoints=run.start(), init_from=_start(order))
    seconds = time.monotonic() - began
    if not _leads():
        return DONE
    if not _trained(classifier):
        return _nothing_trained()
    held_out = None
    if test is not None:
        held_out = classifier.evaluate(test)
        held_out["baseline"] = {"name": classifier.baseline_name_, **held_out["baseline"]}
    report = classification_report(classifier, test)
    code = Outcome(run, to, seconds).finish(classifier, report, held_out, f"the test file {test_file}")
    run.done()
    return code


def _label(run: TrainingRun, to: Destination) -> int:
    from gatewise.cli.steps import read_training, weights_by_label
    from gatewise.reports.labelling import labelling_report
    from gatewise.tasks.labelling import Labeller

    order, settings = run.order, run.order.settings
    own = _without(settings, TEST, *OF_TRAINING)
    test_file: str | None = settings["test"]
    data, test = read_training(order.path(order.data), None if test_file is None else order.path(test_file), own)
    own["class_weight"] = weights_by_label(own["class_weight"], data.labels)
    labeller = Labeller(**own, progress=_progress(to) and _leads())
    if not to.trains:
        return _look(labeller, data, order, to)
    began = time.monotonic()
    labeller.fit(data, checkpoints=run.start(), init_from=_start(order))
    seconds = time.monotonic() - began
    if not _leads():
        return DONE
    if not _trained(labeller):
        return _nothing_trained()
    held_out = None
    if test is not None:
        held_out = labeller.evaluate(test)
        if "baseline" in held_out:
            held_out["baseline"] = {"name": labeller.baseline_name_, **held_out["baseline"]}
    # Without a test some sequences are shown, but not scored: the model has seen them.
    report = labelling_report(labeller, data if test is None else test, scored=test is not None)
    code = Outcome(run, to, seconds).finish(labeller, report, held_out, f"the test file {test_file}")
    run.done()
    return code


def _transcribe(run: TrainingRun, to: Destination) -> int:
    from gatewise.data import read_transcripts
    from gatewise.reports.transcription import transcription_report
    from gatewise.tasks.transcription import Transcriber
    from gatewise.tasks.transcription.frontends import suffixes_of_all
    from gatewise.tasks.transcription.inputs import find_kind

    order, settings = run.order, run.order.settings
    own = _without(settings, TEST, *OF_TRAINING)
    data, test_file = order.path(order.data), settings["test"]
    transcriber = Transcriber(**own, progress=_progress(to) and _leads())
    test = None
    if test_file is not None:
        # What is missing is known before the training.
        test = read_transcripts(order.path(test_file), suffixes_of_all(), column=own["text"] or "text")
        if own["inputs"] is None and find_kind(data) != find_kind(test):
            raise DataError(f'"{data}" holds {find_kind(data)}, "{test_file}" {find_kind(test)}: both need the same')
    if not to.trains:
        return _look(transcriber, data, order, to)
    began = time.monotonic()
    transcriber.fit(data, checkpoints=run.start(), init_from=_start(order))
    seconds = time.monotonic() - began
    if not _leads():
        return DONE
    if not _trained(transcriber):
        return _nothing_trained()
    held_out = None if test is None else transcriber.evaluate(test)
    # Without a test some recordings are shown, but not scored: the model has seen them.
    report = transcription_report(transcriber, _some(transcriber, data) if test is None else test)
    code = Outcome(run, to, seconds).finish(transcriber, report, held_out, f"the test data {test_file}")
    run.done()
    return code


def _generate(run: TrainingRun, to: Destination) -> int:
    from gatewise.reports.generation import generation_report
    from gatewise.tasks.generation import Generator, read_events
    from gatewise.tasks.generation.texts import read_texts

    order, settings = run.order, run.order.settings
    own = _without(settings, TEST, *OF_TRAINING)
    data, test_file = order.path(order.data), settings["test"]
    generator = Generator(**own, progress=_progress(to) and _leads())
    test = None
    if test_file is not None:
        # What is missing is known before the training.
        where = order.path(test_file)
        test = read_events(where, own["events"], own["piece"]) if own["unit"] == "events" else read_texts(where)[0]
    if not to.trains:
        return _look(generator, data, order, to)
    began = time.monotonic()
    generator.fit(data, checkpoints=run.start(), init_from=_start(order))
    seconds = time.monotonic() - began
    if not _leads():
        return DONE
    if not _trained(generator):
        return _nothing_trained()
    held_out = None
    if test is not None:
        held_out = generator.evaluate(test)
        held_out["baseline"] = {"name": generator.baseline_name_, **held_out["baseline"]}
    code = Outcome(run, to, seconds).finish(
        generator, generation_report(generator, test), held_out, f"the test data {test_file}"
    )
    run.done()
    return code


def _some(transcriber: "Transcriber", data: Path) -> Any:
    from gatewise.data import read_transcripts
    from gatewise.reports.transcription import SHOWN

    shown = read_transcripts(data, transcriber.front_end_.suffixes, text=False).first(SHOWN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)  # training has said it of all recordings
        return transcriber.examples(shown, text=False)


def _look(
    estimator: "Forecaster | Classifier | Generator | Labeller | Transcriber", data: Any, order: Order, to: Destination
) -> int:
    """Say what would be trained, or at which rate; the exit code."""
    if to.find_rate:
        return show_rates(estimator.learning_rates(data), order, to.as_json)
    return show_plan(estimator.plan(data), order, to.as_json)


def _start(order: Order) -> Path | None:
    named: str | None = order.settings["init_from"]
    return None if named is None else order.path(named)


def _without(settings: Mapping[str, Any], *others: Parameter) -> dict[str, Any]:
    left_out = {parameter.name for parameter in others}
    return {name: value for name, value in settings.items() if name not in left_out}


def _check_out(to: Destination) -> None:
    """Before any work: a long training must not end at a name that is taken."""
    from gatewise.tasks.folder import check_writable

    check_writable(to.out, overwrite=to.overwrite)


def _progress(to: Destination) -> bool:
    return not (to.as_json or to.quiet)


def _trained(estimator: "Forecaster | Classifier | Generator | Labeller | Transcriber") -> bool:
    return any(run["epochs"] for run in estimator.history_)


def _nothing_trained() -> int:
    print_note("interrupted before the first epoch had ended: there is no model yet, and nothing was written")
    return INTERRUPTED


@contextmanager
def _warnings_as_notes(to: Destination) -> Iterator[None]:
    """Warnings meant for people as one line each, when they come.

    What is found and decided is in `notes_` as well; what is wrong with checkpoints is said even where notes are not.
    """
    said: set[str] = set()

    def say(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = str(message)
        if _leads() and text not in said and (issubclass(category, CheckpointWarning) or not (to.quiet or to.as_json)):
            print_note(f"note: {text}")
        said.add(text)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = say
        yield


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
