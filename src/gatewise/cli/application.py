"""The commands: what they are called, take and say in their help; and how they fail.

Nothing here imports torch: `--help`, `--version` and mistakes of spelling answer at once.
"""

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import with_options
from gatewise.cli.outcome import INTERRUPTED, Destination
from gatewise.cli.output import print_error, print_facts, print_json, print_note
from gatewise.cli.train import (
    classify_parameters,
    forecast_parameters,
    generate_parameters,
    label_parameters,
    resume,
    train,
    transcribe_parameters,
)
from gatewise.cli.tune import tune, tune_parameters
from gatewise.errors import ConfigurationError, GatewiseError
from gatewise.search import SEARCHES
from gatewise.version import __version__

REFUSED = 2
# typer ships its own copy of click from some version on; this is the class that both raise for wrong usage
UsageError: Any = typer.BadParameter.__mro__[1]

Given = Mapping[str, str | Sequence[str] | bool | None]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder that `gatewise train` wrote.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="The model folder to make. (required)", rich_help_panel="Output"),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model folder that is there.", rich_help_panel="Output")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Leave out progress and notes.", rich_help_panel="Output")]
TrainJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else.", rich_help_panel="Output")
]
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

app = typer.Typer(
    name="gatewise",
    help="LSTM for sequences in files: train, evaluate, predict, report.",
    epilog="Begin with: gatewise train forecast --help",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
train_app = typer.Typer(help="Train a model on a file.", rich_markup_mode="rich")
app.add_typer(train_app, name="train")
tune_app = typer.Typer(help="Search for the best options of a training.", rich_markup_mode="rich")
app.add_typer(tune_app, name="tune")


def _stoppable(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, with a sentence instead of a traceback when Ctrl-C ends it."""

    @wraps(command)
    def stoppable(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except KeyboardInterrupt:
            print_note("interrupted: nothing was written")
            return INTERRUPTED

    return stoppable


def _version(asked: bool) -> None:
    if asked:
        print(f"gatewise {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@train_app.callback(invoke_without_command=True)
def _train(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@tune_app.callback(invoke_without_command=True)
def _tune(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def _forecast(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A .csv, .csv.gz or .parquet table: a row a time stamp (and series).")
    ],
    given: Given,
    out: Out = None,
    overwrite: Overwrite = False,
    json: TrainJson = False,
    quiet: Quiet = False,
    config: Config = None,
    dry_run: DryRun = False,
    find_learning_rate: FindRate = False,
) -> int:
    """Train a forecaster: N steps ahead of one column of a table, with quantiles."""
    return train(
        "forecast", data, given, config, _destination(out, overwrite, json, quiet, dry_run, find_learning_rate)
    )


def _classify(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A .ts file, or a table with one row a time step of a sequence.")
    ],
    given: Given,
    out: Out = None,
    overwrite: Overwrite = False,
    json: TrainJson = False,
    quiet: Quiet = False,
    config: Config = None,
    dry_run: DryRun = False,
    find_learning_rate: FindRate = False,
) -> int:
    """Train a classifier: a label for each sequence, of any length and number of channels."""
    return train(
        "classify", data, given, config, _destination(out, overwrite, json, quiet, dry_run, find_learning_rate)
    )


def _label(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="A table with one row a time step of a sequence, or a folder of TIMIT."),
    ],
    given: Given,
    out: Out = None,
    overwrite: Overwrite = False,
    json: TrainJson = False,
    quiet: Quiet = False,
    config: Config = None,
    dry_run: DryRun = False,
    find_learning_rate: FindRate = False,
) -> int:
    """Train a labeller: a label, a value, or an anomaly score for each time step."""
    return train("label", data, given, config, _destination(out, overwrite, json, quiet, dry_run, find_learning_rate))


def _transcribe(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A table with the columns path (or strokes) and text; or a folder of pairs, x.png and x.txt.",
        ),
    ],
    given: Given,
    out: Out = None,
    overwrite: Overwrite = False,
    json: TrainJson = False,
    quiet: Quiet = False,
    config: Config = None,
    dry_run: DryRun = False,
    find_learning_rate: FindRate = False,
) -> int:
    """Train a transcriber: the text of line images, pen strokes, or recordings of sound."""
    return train(
        "transcribe", data, given, config, _destination(out, overwrite, json, quiet, dry_run, find_learning_rate)
    )


def _generator(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A text file or a folder of .txt files; of events a table with a row for each frame.",
        ),
    ],
    given: Given,
    out: Out = None,
    overwrite: Overwrite = False,
    json: TrainJson = False,
    quiet: Quiet = False,
    config: Config = None,
    dry_run: DryRun = False,
    find_learning_rate: FindRate = False,
) -> int:
    """Train a generator: it says what comes next in texts, or in events of which several sound at a time."""
    return train(
        "generate", data, given, config, _destination(out, overwrite, json, quiet, dry_run, find_learning_rate)
    )


def _destination(
    out: Path | None, overwrite: bool, as_json: bool, quiet: bool, dry_run: bool, find_rate: bool
) -> Destination:
    if dry_run and find_rate:
        raise ConfigurationError("--dry-run and --find-learning-rate were both given: ask for one at a time")
    to = Destination(out or Path(), overwrite, as_json, quiet, dry_run, find_rate)
    if out is None and to.trains:
        raise ConfigurationError("missing --out DIR: say which folder is to hold the model")
    return to


FORECAST_EXAMPLES = """[bold]Examples[/bold]

gatewise train forecast airline.csv --target passengers --horizon 12 --out airline

gatewise train forecast shops.csv --target sales --horizon 7 --id shop --future holiday,price --holdout 28 --out shops

gatewise train forecast airline.csv --config airline/train.toml --seed 1 --out airline-1"""
CLASSIFY_EXAMPLES = """[bold]Examples[/bold]

gatewise train classify vowels_TRAIN.ts --test vowels_TEST.ts --out vowels

gatewise train classify strokes.parquet --id stroke --label letter --channels x,y --out letters

gatewise train classify watch.csv.gz --id window --label motion --group subject --out motions"""

LABEL_EXAMPLES = """[bold]Examples[/bold]

gatewise train label motions.csv --label motion --group subject --test others.csv --out motions

gatewise train label sensors.parquet --output values --label clean --look-ahead 5 --out filter

gatewise train label machine.csv --output anomalies --channels load,speed --out watch"""

TRANSCRIBE_EXAMPLES = """[bold]Examples[/bold]

gatewise train transcribe lines/train/manifest.csv --test lines/test/manifest.csv --max-minutes 5 --out reader

gatewise train transcribe recordings/ --unit tokens --backbone deep-blstm --out phones

gatewise train transcribe commands.parquet --backbone lstm --look-ahead 8 --out listener"""

GENERATE_EXAMPLES = """[bold]Examples[/bold]

gatewise train generate books/ --max-minutes 10 --out writer

gatewise train generate notes.txt --unit pieces --pieces 500 --cell multiplicative --out writer

gatewise train generate chorales.csv --unit events --transpose 3 --out organist"""

train_app.command("forecast", epilog=FORECAST_EXAMPLES)(_stoppable(with_options(_forecast, forecast_parameters())))
train_app.command("classify", epilog=CLASSIFY_EXAMPLES)(_stoppable(with_options(_classify, classify_parameters())))
train_app.command("label", epilog=LABEL_EXAMPLES)(_stoppable(with_options(_label, label_parameters())))
train_app.command("transcribe", epilog=TRANSCRIBE_EXAMPLES)(
    _stoppable(with_options(_transcribe, transcribe_parameters()))
)
train_app.command("generate", epilog=GENERATE_EXAMPLES)(_stoppable(with_options(_generator, generate_parameters())))


TUNE_EXAMPLES = """[bold]Examples[/bold]

gatewise tune {task} {example} --trials 30 --out search

gatewise tune {task} {example} --space learning_rate=1e-4:1e-2:log --space hidden_size=32,64 --out search

Options that are given are not tried. The same command goes on with a search that was interrupted; with more trials it
makes it longer."""
TUNED = {
    "forecast": "shops.csv --target sales --horizon 7",
    "classify": "vowels_TRAIN.ts",
    "generate": "books/",
    "label": "motions.csv --label motion",
    "transcribe": "lines/manifest.csv",
}


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


for _task, _parameters in tune_parameters().items():
    tune_app.command(_task, epilog=TUNE_EXAMPLES.format(task=_task, example=TUNED[_task]))(
        _stoppable(with_options(_tuner(_task), _parameters))
    )


@app.command("resume", epilog="Example: gatewise resume airline.run")
@_stoppable
def _resume(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a training that was interrupted: its --out with .run.")
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="DATA", help="Where the training's data are now, if they were moved.")
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Make a model of what is trained so far, and stay able to go on later.")
    ] = False,
    allow_changed_data: Annotated[
        bool, typer.Option("--allow-changed-data", help="Go on although the data are not those of the training.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model folder that is there.")] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Leave out progress and notes.")] = False,
) -> int:
    """Go on with a training exactly where it was interrupted or killed."""
    options = {"finish": finish, "allow_changed_data": allow_changed_data, "overwrite": overwrite}
    return resume(run, data, as_json=json, quiet=quiet, **options)


@app.command("evaluate", epilog="Example: gatewise evaluate airline new-months.csv --windows 3 --json")
@_stoppable
def _evaluate(
    model: Model,
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Data with the truth, in the form of the training data.")
    ],
    windows: Annotated[int, typer.Option(metavar="N", help="Forecasts: score the last N horizons of each series.")] = 1,
    leaderboard: Annotated[
        bool, typer.Option("--leaderboard", help="Forecasts: beside naive, seasonal naive and AutoETS.")
    ] = False,
    json: Json = False,
) -> None:
    """Score a model on data with the truth, beside a baseline."""
    from gatewise.cli.trained import evaluate

    evaluate(model, data, windows, leaderboard, json)


@app.command("predict", epilog="Example: gatewise predict airline airline.csv --out next-year.csv")
@_stoppable
def _predict(
    model: Model,
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Series to go on with, sequences to classify, or recordings to read."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The table to write: .csv, .tsv or .parquet. Texts are printed without it."),
    ] = None,
    json: Json = False,
) -> None:
    """Write forecasts, labels and their probabilities, or texts, to a table; or print texts."""
    from gatewise.cli.trained import predict

    predict(model, data, out, json)


@app.command("generate", epilog='Example: gatewise generate writer --prompt "Once upon" --temperature 0.7')
@_stoppable
def _generate(
    model: Model,
    prompt: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What it goes on from: a text; of events the name of a table of frames."),
    ] = None,
    length: Annotated[int, typer.Option(metavar="N", help="Symbols or frames to write at most.")] = 200,
    temperature: Annotated[
        float, typer.Option(metavar="X", help="Below 1 what is likely becomes likelier; 0 takes the likeliest.")
    ] = 1.0,
    top_k: Annotated[
        int | None,
        typer.Option(metavar="N", help="Draw from the N likeliest symbols; of events, let N sound at most."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draws: the same seed writes the same.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it to a text file, or a table of frames.")
    ] = None,
    json: Json = False,
) -> None:
    """Let a generator write on, symbol by symbol as it draws them."""
    from gatewise.cli.writing import generate

    options = {"length": length, "temperature": temperature, "top_k": top_k, "seed": seed}
    generate(model, prompt, out, json, **options)


@app.command("align", epilog='Example: gatewise align phones hello.wav "HH AH L OW"')
@_stoppable
def _align(
    model: Model,
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="A line image, strokes, or sound.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it says; or the name of a .txt file with that.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The table to write: .csv, .tsv or .parquet; else it is printed."),
    ] = None,
    json: Json = False,
) -> None:
    """Say where in a recording each symbol of its text is."""
    from gatewise.cli.transcripts import align

    align(model, recording, text, out, json)


@app.command("report", epilog="Example: gatewise report airline new-months.csv --out new-months.html")
@_stoppable
def _report(
    model: Model,
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DATA]", help="Data to show the model at work on; else those of the training."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Where to write it; else report.html in the model folder.")
    ] = None,
    windows: Annotated[
        int, typer.Option(metavar="N", help="Forecasts: score the last N horizons, where they lie after the training.")
    ] = 1,
    json: Json = False,
) -> None:
    """Write a model's report: one HTML file with scores, plots and a look into the cell."""
    from gatewise.cli.trained import report

    report(model, data, out, windows, json)


@app.command("cells", epilog="Example: gatewise cells gru")
@_stoppable
def _cells(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The cell to show; else the catalogue of all cells.")
    ] = None,
    latex: Annotated[
        bool, typer.Option("--latex", help="Print the cell's equations as LaTeX and nothing else.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print all cells as a page of Markdown (docs/cells.md).")
    ] = False,
    json: Json = False,
) -> None:
    """Show the published cells; of one its equations, parameters and paper."""
    from gatewise.cli.cells import show_cells

    show_cells(name, latex, json, markdown)


@app.command("corpus", epilog="Example: gatewise corpus iam ~/iam --out iam-lines")
@_stoppable
def _corpus(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="iam (images), iam-ondb (pen strokes), timit or common-voice (speech)."),
    ],
    root: Annotated[Path, typer.Argument(metavar="FOLDER", help="The corpus as its owners give it out, unpacked.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write a table for each part: train.csv, ...")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace tables that are there.")] = False,
    json: Json = False,
) -> None:
    """Make tables of path and text out of the folder of a corpus, for `gatewise train transcribe`."""
    from gatewise.cli.corpora import write_corpus

    write_corpus(name, root, out, overwrite, json)


@app.command("doctor")
@_stoppable
def _doctor(json: Json = False) -> None:
    """Say what this installation runs on: versions, backends, threads, devices."""
    from gatewise.cli.doctor import examine, facts

    found = examine()
    if json:
        print_json(found)
    else:
        print_facts(facts(found))


def _usage_message(error: Any) -> str:
    """What typer found wrong, in this program's manner, with where to look."""
    message = error.format_message().rstrip(".")
    possible = getattr(error, "possibilities", None)
    if possible:
        message = f"{error.message}: did you mean {' or '.join(sorted(possible))}?"
    command = error.ctx.command_path if error.ctx is not None else "gatewise"
    return f"{message} (see {command} --help)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code.

    0: done. 2: something given cannot be used; one message on stderr says what, and nothing is written. 130: stopped
    by Ctrl-C or SIGTERM. 1: whoever read the output has gone.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a name that the terminal's encoding cannot show must not end a command that has done its work
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(args=argv, prog_name="gatewise", standalone_mode=False)
        sys.stdout.flush()
    except GatewiseError as error:
        rank = os.environ.get("RANK", "0") if os.environ.get("WORLD_SIZE", "1") != "1" else "0"
        print_error(f"worker {int(rank) + 1}: {error}" if rank.isdecimal() and rank != "0" else str(error))
        return REFUSED
    except UsageError as error:
        print_error(_usage_message(error))
        return REFUSED
    except BrokenPipeError:
        # python would complain once more when it flushes stdout at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f': "{error.filename}"' if error.filename else ""
        print_error(f"{error.strerror or error}{where}")
        return REFUSED
    return code if isinstance(code, int) else 0
