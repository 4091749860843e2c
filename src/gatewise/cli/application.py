"""The commands: what they are called, take and say in their help; and how they fail.

Nothing here imports torch: `--help`, `--version` and mistakes of spelling answer at once.
"""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.output import print_error, print_facts, print_json
from gatewise.cli.stopping import stoppable
from gatewise.cli.train import resume
from gatewise.cli.training_commands import train_app, tune_app
from gatewise.errors import GatewiseError
from gatewise.version import __version__

REFUSED = 2
# typer ships its own copy of click from some version on; this is the class that both raise for wrong usage
UsageError: Any = typer.BadParameter.__mro__[1]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder that `gatewise train` wrote.")]
app = typer.Typer(
    name="gatewise",
    help="LSTM for sequences in files: train, evaluate, predict, report.",
    epilog="Begin with: gatewise train forecast --help",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(train_app, name="train")
app.add_typer(tune_app, name="tune")


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


@app.command("resume", epilog="Example: gatewise resume airline.run")
@stoppable
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
@stoppable
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
@stoppable
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
@stoppable
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
@stoppable
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
@stoppable
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
@stoppable
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
@stoppable
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
@stoppable
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
