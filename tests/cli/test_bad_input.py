"""Whatever is wrong is said in one message, with exit code 2, and nothing is written."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from tests.cli.program import Program, changed, column, sales, shops, strokes, waves, write

Lines = list[str] | str | bytes
TRAIN = ("train", "forecast", "sales.csv", "--target", "sales", "--horizon", "3", "--out", "model")
SHOPS = ("train", "forecast", "shops.csv", "--target", "sales", "--horizon", "3", "--id", "shop", "--out", "model")
CLASSIFY = ("train", "classify", "waves.ts", "--out", "model")
STROKES = ("train", "classify", "strokes.csv", "--id", "stroke", "--label", "letter", "--out", "model")


@dataclass(frozen=True)
class Case:
    """What is there, what is asked for, and what the message has to say."""

    name: str
    argv: tuple[str, ...]
    says: tuple[str, ...]
    files: dict[str, Lines] = field(default_factory=lambda: {"sales.csv": sales(), "waves.ts": waves()})


def table(name: str, lines: Lines, *says: str, argv: tuple[str, ...] = TRAIN) -> Case:
    return Case(name, argv, says, {"sales.csv": lines})


def ts(name: str, lines: Lines, *says: str) -> Case:
    return Case(name, CLASSIFY, says, {"waves.ts": lines})


def options(name: str, argv: tuple[str, ...], *says: str, base: tuple[str, ...] = TRAIN) -> Case:
    return Case(name, (*base, *argv), says)


def config(name: str, lines: Lines, *says: str, base: tuple[str, ...] = TRAIN) -> Case:
    files = {"sales.csv": sales(), "waves.ts": waves(), "settings.toml": lines}
    return Case(name, (*base, "--config", "settings.toml"), says, files)


WRITERS = [f"{line},{'writer' if not k else 'ann'}" for k, line in enumerate(strokes())]
NO_LABEL = [line.rpartition(",")[0] for line in strokes()]
UNLABELLED = [line.rpartition(":")[0] if ":" in line else line.replace("true slow fast", "false") for line in waves()]
NEW_LABEL = [*waves(23), waves()[-1].replace("fast", "quick")]
NEW_LABEL[3] = "@classLabel true slow fast quick"

TRAINING = (
    # files
    Case("missing file", TRAIN, ('no file "sales.csv"', 'did you mean "sale.csv"?'), {"sale.csv": sales()}),
    table("empty file", "", '"sales.csv" is empty'),
    Case("not gzip", tuple(a.replace(".csv", ".csv.gz") for a in TRAIN), ('"sales.csv.gz"', "not a whole gzip file"),
         {"sales.csv.gz": sales()}),
    Case("truncated gzip", tuple(a.replace(".csv", ".csv.gz") for a in TRAIN), ('"sales.csv.gz"', "Copy it again"),
         {"sales.csv.gz": gzip.compress("\n".join(sales()).encode())[:-40]}),
    Case("no such group", (*STROKES, "--group", "writr"), ('no column "writr"', "group", 'did you mean "writer"'),
         {"strokes.csv": WRITERS}),
    Case("group changes", (*STROKES, "--group", "x"), ('group column "x"', "row 2", "one group"),
         {"strokes.csv": WRITERS}),
    Case("group without a table", (*CLASSIFY, "--group", "writer"), ('no column "writer"', "give a table")),
    Case("group is the label", (*STROKES, "--group", "letter"), ('"letter" has two roles',), {"strokes.csv": WRITERS}),
    table("header only", sales()[:1], "day, sales", "no rows"),
    table("blank lines only", "\n\n\n", "blank lines"),
    table("no header", [",".join(line.split(",")[:2]) for line in sales()[1:]], "no header"),
    table("column twice", ["day,sales,sales", "2024-01-01,1,2"], '"sales"', "more than once"),
    table("ragged row", changed(sales(), 5, "sun", "sun,1"), "row 5", "expected 4 fields, got 5"),
    table("not UTF-8", b"day,sales\n2024-01-01,1\n" + b"\xff\xfe,2\n", "row 2", "UTF-8"),
    Case("a folder as data", ("train", "forecast", ".", *TRAIN[3:]), ("is a folder", ".csv"), {}),
    Case("unsupported suffix", ("train", "forecast", "sales.txt", *TRAIN[3:]), (".csv",), {"sales.txt": sales()}),
    Case("no parquet", ("train", "forecast", "s.parquet", *TRAIN[3:]), ("Parquet",), {"s.parquet": sales()}),
    # columns
    options("missing target", ("--target", "sale"), 'no column "sale" (asked for as target)', 'mean "sales"?'),
    options("missing time", ("--time", "dy"), 'no column "dy"', 'mean "day"?'),
    options("missing id", ("--id", "shop"), 'no column "shop"', "There is: day, rain, sales, weather"),
    options("missing past", ("--past", "rain,whether"), 'no column "whether"', 'mean "weather"?'),
    options("missing future", ("--future", "rains"), 'no column "rains"', 'mean "rain"?'),
    options("two roles", ("--past", "rain", "--future", "rain"), '"rain"', "as past and as future"),
    options("target as covariate", ("--past", "sales"), '"sales"', "as target and as past"),
    Case(
        "static column changes", (*SHOPS, "--static", "city"), ('static column "city", row 5', "one value a series"),
        {"shops.csv": changed(shops(), 5, "Bonn", "Rome")},
    ),
    Case("row without id", SHOPS, ('id column "shop", row 4',), {"shops.csv": changed(shops(), 4, "a,", ",")}),
    # time
    table("unparsable time", changed(sales(), 7, "2024-01-07", "yesterday"), "row 7", '"yesterday"'),
    table("impossible date", changed(sales(), 31, "2024-01-31", "2024-02-31"), "row 31", '"2024-02-31"'),
    table("missing time stamp", changed(sales(), 9, "2024-01-09", ""), "row 9", '"day"'),
    table("duplicate time", changed(sales(), 8, "2024-01-08", "2024-01-07"), "7", "8", "2024-01-07", "--duplicates"),
    Case(
        "id forgotten", tuple(a for a in SHOPS if a not in ("--id", "shop")), ("--id", "shop", "2024-01-01"),
        {"shops.csv": shops()},
    ),
    table("gap", sales()[:10] + sales()[12:], "2024-01-09", "2024-01-12", "--gaps"),
    # values
    table("text among numbers", changed(sales(), 6, sales()[6].split(",")[1], "many"), '"sales"', "row 6", '"many"'),
    table("decimal comma", column(sales(), "sales", ['"1,5"', '"2,5"']), '"sales"', "row 1", "decimals with a point"),
    table("infinite", changed(sales(), 6, sales()[6].split(",")[1], "inf"), '"sales"', "row 6", "inf"),
    table("infinite covariate", changed(sales(), 3, sales()[3].split(",")[2], "-inf"), '"rain"', "row 3",
          argv=(*TRAIN, "--past", "rain")),
    table("too large", changed(sales(), 6, sales()[6].split(",")[1], "1e200"), '"sales"', "row 6", "too large"),
    table("no target value", column(sales(), "sales", [""]), '"sales"', "no value", "40 rows"),
    table("constant target", column(sales(), "sales", ["5"]), '"sales" is constant', "5"),
    table("too short", sales(13), "13 rows", "horizon of 3", "at least 14"),
    Case("one series too short", SHOPS, ('series "b"', "5 rows", "at least 14"), {"shops.csv": shops()[:36]}),
    # options of forecasts
    options("horizon 0", ("--horizon", "0"), "horizon is 0", "at least 1"),
    options("horizon negative", ("--horizon", "-3"), "horizon is -3", "at least 1"),
    options("horizon in words", ("--horizon", "three"), '--horizon is "three"', "a whole number"),
    options("horizon with a fraction", ("--horizon", "2.5"), '--horizon is "2.5"', "a whole number"),
    options("quantile 1", ("--quantiles", "0.5,1"), "quantiles", "1.0", "between 0 and 1"),
    options("quantiles decreasing", ("--quantiles", "0.9,0.1"), "quantiles", "increasing"),
    options("quantiles alike", ("--quantiles", "0.5,0.50000001"), "quantiles", "six digits"),
    options("quantiles in words", ("--quantiles", "low,high"), '--quantiles is "low,high"', "numbers"),
    options("unknown gaps", ("--gaps", "fill"), '--gaps is "fill"', "interpolate", "mask"),
    options("unknown duplicates", ("--duplicates", "lst"), '--duplicates is "lst"', 'did you mean "last"?'),
    options("seed negative", ("--seed", "-1"), "seed is -1", "from 0 to"),
    options("seed too large", ("--seed", str(2**70)), f"seed is {2**70}", "from 0 to 4294967295"),
    options("no threads", ("--threads", "0"), "threads is 0", "at least 1"),
    options("absurd threads", ("--threads", "1000000"), "threads is 1000000", "at most 1024"),
    options("unknown device", ("--device", "gpu"), "device", "gpu", '"cpu" or "cuda"'),
    options("absent device", ("--device", "cuda:99"), "device", "cuda:99"),
    options("no members", ("--members", "0"), "members is 0", "at least 1"),
    options("no epochs", ("--max-epochs", "0"), "max_epochs is 0", "at least 1"),
    options("no time", ("--max-minutes", "0"), "max_minutes is 0", "above 0"),
    options("learning rate negative", ("--learning-rate", "-1"), "learning_rate is -1", "above 0"),
    options("learning rate not finite", ("--learning-rate", "nan"), "learning_rate is nan"),
    options("dropout 1", ("--dropout", "1"), "dropout is 1", "below 1"),
    options("period 1", ("--periods", "1"), "periods", "at least 2"),
    options("holdout of half a horizon", ("--holdout", "4"), "--holdout is 4", "multiple of the horizon (3)"),
    options("holdout negative", ("--holdout", "-3"), "--holdout is -3"),
    options("everything held out", ("--holdout", "42"), "40 rows", "--holdout 42"),
    options("no model to start from", ("--init-from", "modle"), "no model folder modle"),
    Case("target not said", ("train", "forecast", "sales.csv", "--out", "model"), ("missing --target and --horizon",)),
    Case("out not said", TRAIN[:-2], ("missing --out",)),
    Case("data not said", ("train", "forecast", "--out", "model"), ("'DATA'", "train forecast --help")),
    options("unknown option", ("--horizn", "3"), "--horizn", "--horizon"),
    Case("unknown command", ("trian",), ("'trian'", "'train'")),
    Case("unknown task", ("train", "forcast"), ("'forcast'", "'forecast'")),
    # configuration
    options("no configuration", ("--config", "setting.toml"), 'no configuration file "setting.toml"'),
    options("folder as configuration", ("--config", "."), "is a folder"),
    config("unknown key", "hidden_sizes = 8", '"settings.toml"', '"hidden_sizes"', 'did you mean "hidden_size"?'),
    config("text for a number", 'seed = "one"', "seed", '"one"', "a whole number"),
    config("number for names", "past = 3", "past is 3", "column names"),
    config("true for a number", "members = true", "members is true", "a whole number"),
    config("table for a number", "[members]\nfirst = 1", "members", "a whole number"),
    config("date for a number", "seed = 2024-01-01", "seed is 2024-01-01"),
    config("invalid TOML", "seed = = 1", '"settings.toml"', "TOML", "line 1"),
    config("configuration not UTF-8", b'target = "\xff"', "UTF-8"),
    config("of the other task", 'task = "classify"', "classify", "forecast"),
    config("bad value", "quantiles = [0.0, 0.5]", "quantiles", "between 0 and 1"),
    # sequences
    ts("no labels", UNLABELLED, '"waves.ts" has no labels', "@classLabel true"),
    ts("no data line", waves()[:4], "@data"),
    ts("no sequences", waves()[:5], "no sequences"),
    ts("mixed channels", [*waves(), "1,2:3,4:5,6:slow"], "line 30", "3 channels", "2"),
    ts("channels of other lengths", [*waves(), "1,2,3:4,5:slow"], "line 30", "lengths"),
    ts("no number", [*waves(), "1,2:3,x:slow"], "line 30", '"x" is not a number'),
    ts("infinite sequence", [*waves(), "1,2:3,inf:slow"], "line 30", "infinite"),
    ts("too large in a sequence", [*waves(), "1,2:3,1e200:slow"], "sequence 24, time step 2, channel 1", "too large"),
    ts("empty sequence", [*waves(), "::slow"], "line 30"),
    ts("label not in the header", [*waves(), "1,2:3,4:slwo"], "line 30", '"slwo"', 'did you mean "slow"?'),
    ts("unknown header key", ["@problemNme waves", *waves()[1:]], "line 1", "problemName"),
    ts("one class", [line for line in waves() if "@" in line or line.endswith("slow")], "one label", '"slow"'),
    Case("unseen label", (*CLASSIFY, "--test", "test.ts"), ('"test.ts"', "quick", "lacks"),
         {"waves.ts": waves(), "test.ts": NEW_LABEL}),
    Case("other channels in the test", (*CLASSIFY, "--test", "test.ts"), ("3 channels", "2 channels"),
         {"waves.ts": waves(), "test.ts": waves(channels=3)}),
    options("missing test file", ("--test", "tset.ts"), 'no file "tset.ts"', base=CLASSIFY),
    Case("no id column", ("train", "classify", "strokes.csv", "--label", "letter", "--out", "model"),
         ("id", "stroke"), {"strokes.csv": strokes()}),
    Case("missing label column", STROKES, ('no column "letter"', "label"), {"strokes.csv": NO_LABEL}),
    Case("label changes", STROKES, ("row 3", '"letter"'), {"strokes.csv": changed(strokes(), 3, "slow", "fast")}),
    Case("text in a channel", STROKES, ('"x"', "row 2", '"up"'),
         {"strokes.csv": changed(strokes(), 2, strokes()[2].split(",")[2], "up")}),
    Case("missing channel", (*STROKES, "--channels", "x,z"), ('no column "z"',), {"strokes.csv": strokes()}),
    Case("repeated step", (*STROKES, "--time", "step"), ("rows 2 and 3", "same id"),
         {"strokes.csv": changed(strokes(), 3, "s0,2,", "s0,1,")}),
    options("unknown class weight", ("--class-weight", "slw=2"), "slw", 'did you mean "slow"?', base=CLASSIFY),
    options("class weight negative", ("--class-weight", "slow=-1"), "slow", "above 0", base=CLASSIFY),
    options("unknown weighting", ("--class-weight", "balance"), "balance", 'did you mean "balanced"?', base=CLASSIFY),
    options("validation 1", ("--validation", "1"), "validation is 1", "below 1", base=CLASSIFY),
    options("no units", ("--hidden-size", "0"), "hidden_size is 0", "at least 1", base=CLASSIFY),
)  # fmt: skip


@pytest.mark.parametrize("case", TRAINING, ids=lambda case: case.name)
def test_training_is_refused(case: Case, gatewise: Program, here: Path) -> None:
    for name, lines in case.files.items():
        write(here / name, lines)
    refused(gatewise, case.argv, case.says, here)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda p: p.write_text("mine"), ("not a gatewise model folder", "not replaced"), id="a file"),
        pytest.param(lambda p: (p.mkdir(), write(p / "x", "mine")), ("not a gatewise model folder",), id="a folder"),
        pytest.param(lambda p: p.symlink_to("elsewhere"), ("not a gatewise model folder",), id="a link"),
    ],
)
@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["", "overwrite"])
def test_what_is_no_model_is_never_replaced(
    make: Callable[[Path], object], says: tuple[str, ...], overwrite: tuple[str, ...], gatewise: Program, here: Path
) -> None:
    write("sales.csv", sales())
    make(here / "model")
    refused(gatewise, (*TRAIN, *overwrite), says, here)


def test_a_model_is_replaced_only_when_asked(gatewise: Program, models: Path) -> None:
    argv = ("train", "forecast", "sales.csv", "--target", "sales", "--horizon", "3", "--out", "sales")
    refused(gatewise, argv, ("already holds a trained model", "--overwrite"), models)


@pytest.mark.parametrize(("task", "rest"), [("forecast", ("--target", "sales", "--horizon", "3")), ("classify", ())])
def test_a_taken_name_is_refused_before_anything_is_read(
    task: str, rest: tuple[str, ...], gatewise: Program, models: Path
) -> None:
    argv = ("train", task, "nothing.csv", *rest, "--out", "sales")
    refused(gatewise, argv, ("sales already holds a trained model",), models)


def test_a_model_of_other_shapes_is_no_start(gatewise: Program, models: Path) -> None:
    refused(gatewise, (*CLASSIFY, "--init-from", "waves", "--hidden-size", "5"), ("other shapes",), models)
    refused(gatewise, (*CLASSIFY, "--init-from", "sales"), ("forecast", "classify"), models)


def damage(name: str, change: Callable[[Path], object], *says: str) -> object:
    return pytest.param(change, says, id=name)


def edit(key: str, value: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text())
        content[key] = value
        (folder / "config.json").write_text(json.dumps(content))

    return change


def edit_inside(key: str, value: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text())
        content["config"][key] = value
        (folder / "config.json").write_text(json.dumps(content))

    return change


def truncate(file: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:-40])


def other_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, folder / "model.safetensors")


DAMAGES = [
    damage("no weights", lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors missing"),
    damage("no configuration", lambda folder: (folder / "config.json").unlink(), "config.json missing"),
    damage("no metrics", lambda folder: (folder / "metrics.json").unlink(), "metrics.json missing"),
    damage("truncated weights", truncate("model.safetensors"), "model.safetensors", "truncated or altered"),
    damage("altered weights", other_weights, "model.safetensors", "truncated or altered"),
    damage("truncated configuration", truncate("config.json"), "config.json", "not valid JSON"),
    damage("altered metrics", lambda folder: write(folder / "metrics.json", "{}"), "metrics.json", "altered"),
    damage("newer format", edit("format", 99), "format 99", "Upgrade gatewise"),
    damage("no format", edit("format", "one"), "'one'", "whole number"),
    damage("unknown key", edit("pickle", "os.system"), "unknown key pickle"),
    damage("unknown task", edit("task", "forecats"), '"forecats"', 'did you mean "forecast"?'),
    damage("unknown setting", edit_inside("parameters", {"hidden": 1}), "config.json", "altered"),
]


@pytest.mark.parametrize(("change", "says"), DAMAGES)
@pytest.mark.parametrize("command", ["evaluate", "predict", "report"])
@pytest.mark.parametrize("model", ["sales", "waves"])
def test_a_damaged_model_is_refused(
    change: Callable[[Path], object], says: tuple[str, ...], command: str, model: str, gatewise: Program, models: Path
) -> None:
    change(models / model)
    data = {"sales": "sales.csv", "waves": "waves.ts"}[model]
    out = {"evaluate": (), "predict": ("--out", "p.csv"), "report": ("--out", "r.html")}[command]
    refused(gatewise, (command, model, data, *out), says, models)


USES = (
    Case("no model", ("evaluate", "sals", "sales.csv"), ("no model folder sals",)),
    Case("a file as model", ("predict", "sales.csv", "sales.csv", "--out", "p.csv"), ("is a file", "model folder")),
    Case("a folder without model", ("report", ".", "--out", "r.html"), ("not a whole model folder", "config.json")),
    Case("missing data", ("evaluate", "sales", "sale.csv"), ('no file "sale.csv"', 'did you mean "sales.csv"?')),
    Case("sequences to a forecaster", ("predict", "sales", "waves.ts", "--out", "p.csv"), ("waves.ts", "table")),
    Case("series to a classifier", ("predict", "waves", "sales.csv", "--out", "p.csv"), ("id",)),
    Case("target missing", ("evaluate", "sales", "other.csv"), ('no column "sales"',), {"other.csv": ["day,rain",
         "2024-01-01,1"]}),
    Case("covariate missing", ("evaluate", "sales", "other.csv"), ('no column "rain"', "future"),
         {"other.csv": [",".join(line.split(",")[:2]) for line in sales()]}),
    Case("future not known", ("predict", "sales", "sales.csv", "--out", "p.csv"),
         ("future covariates (rain)", "3 steps", "0 rows after")),
    Case("history too short", ("evaluate", "sales", "short.csv"), ("4 rows",), {"short.csv": sales(4)}),
    Case("another frequency", ("evaluate", "sales", "other.csv"), ("day",),
         {"other.csv": [sales()[0], *sales()[1:41:2]]}),
    Case("more windows than rows", ("evaluate", "sales", "sales.csv", "--windows", "30"), ("30 windows", "40 rows")),
    Case("no windows", ("evaluate", "sales", "sales.csv", "--windows", "0"), ("windows", "at least 1")),
    Case("windows in words", ("evaluate", "sales", "sales.csv", "--windows", "two"), ("--windows", "integer")),
    Case("windows of a classifier", ("evaluate", "waves", "waves.ts", "--windows", "2"), ("--windows", "forecasts")),
    Case("out in a missing folder", ("predict", "waves", "waves.ts", "--out", "no/p.csv"), ('"no"', "does not exist")),
    Case("out of another type", ("predict", "waves", "waves.ts", "--out", "p.xlsx"), ('"p.xlsx"', ".csv")),
    Case("out is a folder", ("predict", "waves", "waves.ts", "--out", "waves.csv"), ("it is a folder",)),
    Case("out not said", ("predict", "waves", "waves.ts"), ("--out", "predict --help")),
    Case("report of another type", ("report", "waves", "--out", "r.pdf"), ('"r.pdf"', ".html")),
    Case("report in a missing folder", ("report", "waves", "--out", "no/r.html"), ('"no"', "does not exist")),
    Case("labels never seen", ("evaluate", "waves", "new.ts"), ("never seen", "quick", "1 of 24"),
         {"new.ts": NEW_LABEL}),
    Case("other channels", ("predict", "waves", "new.ts", "--out", "p.csv"), ("3 channels", "trained on 2"),
         {"new.ts": waves(channels=3)}),
    Case("no labels to evaluate", ("evaluate", "waves", "new.ts"), ('"new.ts" has no labels',), {"new.ts": UNLABELLED}),
)  # fmt: skip


@pytest.mark.parametrize("case", USES, ids=lambda case: case.name)
def test_use_is_refused(case: Case, gatewise: Program, models: Path) -> None:
    (models / "waves.csv").mkdir()
    for name, lines in case.files.items():
        write(models / name, lines)
    refused(gatewise, case.argv, case.says, models)


def test_an_altered_report_is_refused(gatewise: Program, models: Path) -> None:
    write(models / "waves" / "report.json", '{"title": 1}')
    refused(gatewise, ("report", "waves"), ("report.json", "altered"), models)


def refused(gatewise: Program, argv: tuple[str, ...], says: tuple[str, ...], folder: Path) -> None:
    """Exit code 2, one line on stderr that says what it has to, nothing on stdout, no file changed."""
    before = contents(folder)
    outcome = gatewise(*argv)
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    for text in says:
        assert text in outcome.err
    assert contents(folder) == before


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything under a folder: name -> content, None for what is no file."""
    paths = sorted(folder.rglob("*"))
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in paths}
