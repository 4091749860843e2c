"""`gatewise tune`: search for a task's parameters, and keep the best model."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise import disk
from gatewise.checksum import file_sha256, names_sha256
from gatewise.cli.configuration import resolve
from gatewise.cli.output import print_facts, print_json, print_note
from gatewise.cli.parameter import NONE, Parameter
from gatewise.cli.train import HOLDOUT, LEADERBOARD, OF_TRAINING, TEST, train_parameters
from gatewise.errors import ConfigurationError, DataError, nearest
from gatewise.sealed import seal, unseal
from gatewise.search import SEARCHES, Choice, Range, Search

if TYPE_CHECKING:
    from gatewise.tasks.tuning import Study, Trial

FILE, BEST = "tune.json", "best"
FORMAT, KIND = 1, "search"
SHOWN = 10  # trials of a leaderboard
DONE = 0


@dataclass(frozen=True)
class Wanted:
    """What a search was asked to do.

    Attributes:
        task: its name.
        data: the file.
        settings: of the estimator, as far as they are not tried.
        search: what is tried.
        out: the folder of the search.
    """

    task: str
    data: Path
    settings: Mapping[str, Any]
    search: Search
    out: Path

    def to_dict(self) -> dict[str, Any]:
        """All that decides what a trial is, of JSON types."""
        sha = names_sha256(self.data) if self.data.is_dir() else file_sha256(self.data)
        settings = json.loads(json.dumps(self.settings, default=str))
        space = {name: str(kind) for name, kind in self.search.space.items()}
        return {"task": self.task, "data": sha, "settings": settings, "space": space, "metric": self.search.metric}


def tune_parameters() -> dict[str, tuple[Parameter, ...]]:
    """What can be set of each task's estimator, by the task's name."""
    others = {parameter.name for parameter in (HOLDOUT, LEADERBOARD, TEST, *OF_TRAINING)}
    return {task: tuple(p for p in found if p.name not in others) for task, found in train_parameters().items()}


def tune(
    task: str,
    data: Path,
    given: Mapping[str, str | Sequence[str] | bool | None],
    space: Sequence[str],
    trials: int,
    out: Path | None,
    as_json: bool,
) -> int:
    """Search, or go on with a search; the exit code."""
    parameters = tune_parameters()[task]
    if out is None:
        raise ConfigurationError("missing --out DIR: say which folder is to hold the search and its best model")
    if trials < 1:
        raise ConfigurationError(f"--trials is {trials}, expected a whole number of at least 1")
    settings = resolve(parameters, given, {})
    fixed = {name for name, value in given.items() if value is not None and value != []}
    search = find_space(task, parameters, space, fixed)
    if task == "label" and settings["output"] != "labels":
        search = Search("rmse", search.space)
    if not data.exists():
        raise DataError(f'"{data}" is not there')
    wanted = Wanted(task, data, {k: v for k, v in settings.items() if k not in search.space}, search, out)
    _own(wanted)
    from gatewise.cli.outcome import INTERRUPTED
    from gatewise.training.lock import Lock

    with Lock(out):
        from gatewise.tasks.tuning import Study

        study = Study(out, search, settings["seed"], settings)
        before = study.done
        if before and not as_json:
            print_note(f"going on after {before} trials")
        try:
            for _ in range(before, trials):
                found = study.run(_fit(wanted), lambda estimator, trial: _keep(estimator, trial, wanted))
                if not as_json:
                    print_note(_line(found, study))
        except KeyboardInterrupt:
            again = "give the same command once more to go on"
            print_note(f"interrupted after {study.done} of {trials} trials; {again}")
            return INTERRUPTED
        return _show(study, wanted, as_json)


def find_space(task: str, parameters: Sequence[Parameter], texts: Sequence[str], fixed: set[str]) -> Search:
    """The search of a task as the command line has it.

    Args:
        task: its name.
        parameters: of its estimator.
        texts: "name=low:high", "name=low:high:log" or "name=a,b,c".
        fixed: names of parameters that were given, which are not tried.

    Raises:
        ConfigurationError: an unknown name, one that was given as well, or a text that is no range.
    """
    known = {parameter.name: parameter for parameter in parameters}
    default = SEARCHES[task]
    space = {name: kind for name, kind in default.space.items() if name not in fixed}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            what = f'unknown search key "{name}"' if equals else f'--space is "{text}", expected NAME=LOW:HIGH or A,B'
            raise ConfigurationError(f"{what}: {nearest(name, known)}")
        if name in fixed:
            raise ConfigurationError(f"{known[name].flag} and --space {name}=... were both given: fix it or try values")
        space[name] = _kind(known[name], values)
    if not space:
        raise ConfigurationError("nothing is left to try: leave out an option, or give --space")
    return Search(default.metric, space)


def _kind(parameter: Parameter, text: str) -> Range | Choice:
    where = f"--space {parameter.name}={text}"
    if ":" not in text:
        values = tuple(
            None if one == NONE and parameter.optional else parameter.from_text(one) for one in text.split(",")
        )
        return Choice(values)
    low_text, _, rest = text.partition(":")
    high_text, _, log = rest.partition(":")
    if not {"int", "float"} & set(parameter.kinds):
        raise ConfigurationError(f"{where}: {parameter.name} is no number; give values, as {parameter.name}=A,B")
    low, high = parameter.from_text(low_text), parameter.from_text(high_text)
    if log not in ("", "log"):
        raise ConfigurationError(f'{where}: expected LOW:HIGH or LOW:HIGH:log, not ":{log}"')
    if not low < high or (log and low <= 0):
        raise ConfigurationError(f"{where}: expected a lower number before a higher one{', above 0' if log else ''}")
    return Range(low, high, log == "log", whole=parameter.kinds[0] == "int")


def _own(wanted: Wanted) -> None:
    """Make the folder of a new search, or see that the one there is of the same search.

    Raises:
        ConfigurationError: it is of another search, or of something else.
    """
    path, content = wanted.out / FILE, wanted.to_dict()
    if path.is_file():
        was = unseal(path, path.read_bytes(), KIND, FORMAT)
        if was != content:
            raise ConfigurationError(
                f"{wanted.out} holds a search with another {_difference(was, content)}: give the same command as then, "
                "or another --out"
            )
        return
    if wanted.out.exists() and (not wanted.out.is_dir() or any(wanted.out.iterdir())):
        raise ConfigurationError(f"{wanted.out} is there already and holds no search: give another --out")
    wanted.out.mkdir(parents=True, exist_ok=True)
    disk.write_file(path, seal(KIND, FORMAT, content))


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first thing in which two searches differ, in words."""
    for name, value in now.items():
        then = was.get(name)
        if isinstance(value, dict) and isinstance(then, dict):
            for key in sorted(then.keys() | value.keys()):
                if then.get(key) != value.get(key):
                    return f"{key} ({then.get(key, 'not in it')}, now {value.get(key, 'not in it')})"
        elif then != value:
            return name if name == "data" else f"{name} ({then})"
    return "content"


def _fit(wanted: Wanted) -> Any:
    """How an estimator with some parameters is fitted on the data, which are read once where they can be."""
    from gatewise.tasks.registry import ESTIMATORS

    make, data = ESTIMATORS[wanted.task], read_once(wanted)

    def fit(parameters: Mapping[str, Any]) -> Any:
        return make(**{**wanted.settings, **parameters}).fit(data)

    return fit


def read_once(wanted: Wanted) -> Any:
    """What estimators of the task are fitted on."""
    if wanted.task == "classify":
        from gatewise.cli.trained import check_labels
        from gatewise.tasks.classification.inputs import Columns, read_sequences

        names = ("id", "time", "label", "channels", "group")
        found = read_sequences(
            wanted.data, Columns(*(wanted.settings[name] for name in names)), labelled=True, grouped=True
        )
        check_labels(found, wanted.data)
        return found
    if wanted.task == "forecast":
        from gatewise.data import read_table

        column = wanted.settings["id"]
        return read_table(wanted.data, () if column is None else (column,))
    return wanted.data


def _keep(estimator: Any, trial: "Trial", wanted: Wanted) -> None:
    estimator.save(wanted.out / BEST, overwrite=True)


def _line(trial: "Trial", study: "Study") -> str:
    said = {"complete": f"{trial.value:.5g}" if trial.value is not None else "", "failed": f"failed: {trial.why}"}
    best = study.best
    is_best = " (the best so far)" if best is not None and best.number == trial.number else ""
    parameters = ", ".join(f"{name} {_short(value)}" for name, value in trial.parameters.items())
    return f"trial {trial.number}: {said.get(trial.ended, trial.ended)}{is_best}; {parameters}; {trial.seconds:.1f} s"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _show(study: "Study", wanted: Wanted, as_json: bool) -> int:
    trials, best = study.trials, study.best
    model = wanted.out / BEST
    if as_json:
        print_json(
            {
                "task": wanted.task,
                "data": str(wanted.data),
                "metric": wanted.search.metric,
                "best": None if best is None else best.to_dict(),
                "model": None if best is None else str(model),
                "trials": [trial.to_dict() for trial in trials],
            }
        )
        return DONE
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{wanted.search.metric} on the validation part")
    table.add_column("trial", justify="right")
    table.add_column(wanted.search.metric, justify="right")
    for name in wanted.search.space:
        table.add_column(name, justify="right", overflow="fold")
    for trial in trials[:SHOWN]:
        value = trial.ended if trial.value is None else f"{trial.value:.5g}"
        table.add_row(str(trial.number), value, *(_short(trial.parameters.get(name)) for name in wanted.search.space))
    Console(highlight=False).print(table)
    counts = {ended: sum(trial.ended == ended for trial in trials) for ended in ("complete", "pruned", "failed")}
    facts = {"trials": ", ".join(f"{count} {ended}" for ended, count in counts.items() if count)}
    if best is None:
        facts["best"] = "none: no trial was complete"
    else:
        facts |= {"model": str(model), "next": shlex.join(["gatewise", "evaluate", str(model), "TEST-DATA"])}
    print_facts(facts)
    return DONE
