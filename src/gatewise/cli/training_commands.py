"""`gatewise train TASK` and `gatewise tune TASK`: a command for each task, which all take the same of a training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import Given, with_options
from gatewise.cli.outcome import Destination
from gatewise.cli.stopping import stoppable
from gatewise.cli.train import train, train_parameters
from gatewise.cli.tune import tune, tune_parameters
from gatewise.errors import ConfigurationError
from gatewise.search import SEARCHES

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="The model folder to make. (required)", rich_help_panel="Output"),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model folder that is there.", rich_help_panel="Output")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Leave out progress and notes.", rich_help_panel="Output")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.", rich_help_panel="Output")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE.toml", rich_help_panel="Run",
        help="Settings from a file, by the names of the options with underscores, such as the train.toml of an "
        "earlier training; the command line wins.",
    ),
]  # fmt: skip

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", rich_help_panel="Run",
        help="Train nothing: say which network would be trained first, with its shapes, memory and time an epoch.",
    ),
]  # fmt: skip

FindRate = Annotated[
    bool,
    typer.Option(
        "--find-learning-rate", rich_help_panel="Run",
        help="Train nothing that is kept: try a hundred learning rates, and suggest the one at which the loss falls "
        "fastest.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Task:
    """What the help of a task's commands says.

    Attributes:
        data: what it is trained on.
        does: what is trained.
        examples: of `gatewise train`, in typer's markup.
        searched: data and options, in the examples of `gatewise tune`.
    """

    data: str
    does: str
    examples: str
    searched: str


TASKS = {
    "forecast": Task(
        "A .csv, .csv.gz or .parquet table: a row a time stamp (and series).",
        "Train a forecaster: N steps ahead of one column of a table, with quantiles.",
        """[bold]Examples[/bold]

gatewise train forecast airline.csv --target passengers --horizon 12 --out airline

gatewise train forecast shops.csv --target sales --horizon 7 --id shop --future holiday,price --holdout 28 --out shops

gatewise train forecast airline.csv --config airline/train.toml --seed 1 --out airline-1""",
        "shops.csv --target sales --horizon 7",
    ),
    "classify": Task(
        "A .ts file, or a table with one row a time step of a sequence.",
        "Train a classifier: a label for each sequence, of any length and number of channels.",
        """[bold]Examples[/bold]

gatewise train classify vowels_TRAIN.ts --test vowels_TEST.ts --out vowels

gatewise train classify strokes.parquet --id stroke --label letter --channels x,y --out letters

gatewise train classify watch.csv.gz --id window --label motion --group subject --out motions""",
        "vowels_TRAIN.ts",
    ),
    "label": Task(
        "A table with one row a time step of a sequence, or a folder of TIMIT.",
        "Train a labeller: a label, a value, or an anomaly score for each time step.",
        """[bold]Examples[/bold]

gatewise train label motions.csv --label motion --group subject --test others.csv --out motions

gatewise train label sensors.parquet --output values --label clean --look-ahead 5 --out filter

gatewise train label machine.csv --output anomalies --channels load,speed --out watch""",
        "motions.csv --label motion",
    ),
    "transcribe": Task(
        "A table with the columns path (or strokes) and text; or a folder of pairs, x.png and x.txt.",
        "Train a transcriber: the text of line images, pen strokes, or recordings of sound.",
        """[bold]Examples[/bold]

gatewise train transcribe lines/train/manifest.csv --test lines/test/manifest.csv --max-minutes 5 --out reader

gatewise train transcribe recordings/ --unit tokens --backbone deep-blstm --out phones

gatewise train transcribe commands.parquet --backbone lstm --look-ahead 8 --out listener""",
        "lines/manifest.csv",
    ),
    "generate": Task(
        "A text file or a folder of .txt files; of events a table with a row for each frame.",
        "Train a generator: it says what comes next in texts, or in events of which several sound at a time.",
        """[bold]Examples[/bold]

gatewise train generate books/ --max-minutes 10 --out writer

gatewise train generate notes.txt --unit pieces --pieces 500 --cell multiplicative --out writer

gatewise train generate chorales.csv --unit events --transpose 3 --out organist""",
        "books/",
    ),
}
SEARCHING = """[bold]Examples[/bold]

gatewise tune {task} {example} --trials 30 --out search

gatewise tune {task} {example} --space learning_rate=1e-4:1e-2:log --space hidden_size=32,64 --out search

Options that are given are not tried. The same command goes on with a search that was interrupted; with more trials it
makes it longer."""

train_app = typer.Typer(help="Train a model on a file.", rich_markup_mode="rich")
tune_app = typer.Typer(help="Search for the best options of a training.", rich_markup_mode="rich")


@train_app.callback(invoke_without_command=True)
def _train(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@tune_app.callback(invoke_without_command=True)
def _tune(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def _trainer(task: str) -> Callable[..., Any]:
    """The command that trains for a task."""

    def command(
        data: Annotated[Path, typer.Argument(metavar="DATA", help=TASKS[task].data)],
        given: Given,
        out: Out = None,
        overwrite: Overwrite = False,
        json: Json = False,
        quiet: Quiet = False,
        config: Config = None,
        dry_run: DryRun = False,
        find_learning_rate: FindRate = False,
    ) -> int:
        to = _destination(out, overwrite, json, quiet, dry_run, find_learning_rate)
        return train(task, data, given, config, to)

    command.__doc__ = TASKS[task].does
    return command


def _destination(
    out: Path | None, overwrite: bool, as_json: bool, quiet: bool, dry_run: bool, find_rate: bool
) -> Destination:
    if dry_run and find_rate:
        raise ConfigurationError("--dry-run and --find-learning-rate were both given: ask for one at a time")
    to = Destination(out or Path(), overwrite, as_json, quiet, dry_run, find_rate)
    if out is None and to.trains:
        raise ConfigurationError("missing --out DIR: say which folder is to hold the model")
    return to


def _tuner(task: str) -> Callable[..., Any]:
    """The command that searches for a task's parameters."""

    def command(
        data: Annotated[Path, typer.Argument(metavar="DATA", help=f"As for gatewise train {task}.")],
        given: Given,
        trials: Annotated[int, typer.Option(metavar="N", help="Trainings in all.", rich_help_panel="Search")] = 30,
        space: Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME=VALUES", rich_help_panel="Search",
                help="Try this option's values, instead of the task's own: LOW:HIGH, LOW:HIGH:log, or A,B,C. May be "
                "repeated.",
            ),
        ] = None,
        out: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="The search's folder; the best model is in it.", rich_help_panel="Search"),
        ] = None,
        json: Json = False,
    ) -> int:  # fmt: skip
        return tune(task, data, given, space or (), trials, out, json)

    search = SEARCHES[task]
    command.__doc__ = (
        f"Search for the options of gatewise train {task}: by default {', '.join(search.space)}. What counts is the "
        f"{search.metric} on the validation part; trainings that are worse than most are ended early."
    )
    return command


_trained, _tried = train_parameters(), tune_parameters()
for _name, _task in TASKS.items():
    train_app.command(_name, epilog=_task.examples)(stoppable(with_options(_trainer(_name), _trained[_name])))
    tune_app.command(_name, epilog=SEARCHING.format(task=_name, example=_task.searched))(
        stoppable(with_options(_tuner(_name), _tried[_name]))
    )
