"""From texts and tables of events to a generator, its scores and what it writes, through the commands."""

import json
import os
from pathlib import Path

import pytest

from gatewise.data import read_table
from gatewise.tasks import Generator, load
from tests.cli.program import Program
from tests.tasks.generating import pieces, texts

TINY = ("--hidden-size", "12", "--max-epochs", "3", "--threads", "1", "--chunk", "20", "--learning-rate", "0.02")


def table(count: int, seed: int) -> str:
    rows = [f"p{k},{' '.join(map(str, frame))}" for k, piece in enumerate(pieces(count, seed)) for frame in piece]
    return "piece,events\n" + "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("generate")
    (here / "train").mkdir()
    for k, text in enumerate(texts(20)):
        (here / "train" / f"{k:02}.txt").write_text(text + "\n")
    (here / "test.txt").write_text("\n".join(texts(5, seed=1)) + "\n")
    (here / "songs.csv").write_text(table(16, 0))
    (here / "more.csv").write_text(table(4, 1))
    (here / "start.csv").write_text("events\n60 64\n61 65\n")
    before = Path.cwd()
    os.chdir(here)
    try:
        Generator(hidden_size=12, max_epochs=6, threads=1, chunk=20, learning_rate=0.02).fit("train").save("writer")
        Generator("events", hidden_size=12, max_epochs=6, threads=1, chunk=10).fit("songs.csv").save("player")
    finally:
        os.chdir(before)
    return here


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(folder)
    return tmp_path


def test_a_generator_is_trained_and_says_how_well(gatewise: Program, place: Path) -> None:
    out = str(place / "model")
    found = gatewise("train", "generate", "train", "--test", "test.txt", *TINY, "--out", out, "--json")
    assert found.code == 0, found
    answer = json.loads(found.out)
    assert (answer["task"], answer["evaluated_on"], answer["interrupted"]) == ("generate", "held_out", False)
    model = load(out)
    assert isinstance(model, Generator)
    assert model.evaluate("test.txt")["bits_per_character"] == answer["metrics"]["bits_per_character"]
    assert answer["metrics"]["baseline"]["name"] == "training's frequencies"
    assert {path.name for path in Path(out).iterdir()} == {
        "model.safetensors", "config.json", "metrics.json", "README.md", "train.toml", "report.html", "report.json",
        "log.jsonl",
    }  # fmt: skip
    again = gatewise("train", "generate", "train", "--config", f"{out}/train.toml", "--out", f"{out}-2", "--quiet")
    assert again.code == 0
    assert Path(out, "model.safetensors").read_bytes() == Path(f"{out}-2", "model.safetensors").read_bytes()
    assert "gatewise generate" in again.out


def test_events_are_trained_on_a_table(gatewise: Program, place: Path) -> None:
    out = str(place / "model")
    found = gatewise(
        "train", "generate", "songs.csv", "--unit", "events", "--transpose", "1", "--test", "more.csv", *TINY, "--out",
        out, "--json",
    )  # fmt: skip
    assert found.code == 0, found
    assert json.loads(found.out)["metrics"]["frame_nll"] == load(out).evaluate("more.csv")["frame_nll"]  # type: ignore[union-attr]


def test_a_dry_run_trains_nothing(gatewise: Program, place: Path) -> None:
    found = gatewise("train", "generate", "train", *TINY, "--dry-run", "--json")
    assert found.code == 0, found
    plan = json.loads(found.out)
    assert plan["task"] == "generate"
    assert plan["layers"][0]["name"] == "embedding"


def test_it_writes_the_same_from_the_same_seed(gatewise: Program, place: Path) -> None:
    told = gatewise("generate", "writer", "--prompt", "the cat", "--length", "30", "--seed", "4")
    assert told.code == 0, told
    assert told.out.startswith("the cat")
    model = load("writer")
    assert isinstance(model, Generator)
    assert told.out == "the cat" + model.generate("the cat", length=30, seed=4) + "\n"
    answer = json.loads(
        gatewise("generate", "writer", "--length", "30", "--temperature", "0.5", "--top-k", "3", "--json").out
    )
    assert answer["written"] == model.generate(length=30, temperature=0.5, top_k=3)
    file = place / "story.txt"
    assert gatewise("generate", "writer", "--prompt", "the", "--length", "9", "--out", str(file)).code == 0
    assert file.read_text() == "the" + model.generate("the", length=9)


def test_it_plays_on_from_a_table(gatewise: Program, place: Path) -> None:
    file = place / "played.csv"
    found = gatewise("generate", "player", "--prompt", "start.csv", "--length", "8", "--out", str(file))
    assert found.code == 0, found
    model = load("player")
    assert isinstance(model, Generator)
    frames = model.generate([[60, 64], [61, 65]], length=8)
    assert read_table(file).column("events").to_pylist() == [" ".join(frame) for frame in frames] or len(frames) == 8
    printed = gatewise("generate", "player", "--prompt", "start.csv", "--length", "8")
    assert printed.out.splitlines() == [" ".join(frame) for frame in frames]


def test_it_is_evaluated_and_reported(gatewise: Program, place: Path) -> None:
    found = gatewise("evaluate", "writer", "test.txt")
    assert found.code == 0, found
    assert "bits_per_character" in found.out
    assert "training's frequencies" in found.out
    report = place / "report.html"
    assert gatewise("report", "writer", "test.txt", "--out", str(report)).code == 0
    page = report.read_text()
    assert "What comes next" in page
    assert "bits a character" in page
    assert gatewise("report", "player", "--out", str(report)).code == 0
    assert "It plays, with seed 0" in report.read_text()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("generate", "writer", "--prompt", "Zebra"), 'not in the vocabulary.*"Z"'),
        (("generate", "writer", "--temperature", "-1"), "temperature is -1.0"),
        (("generate", "writer", "--out", "story.csv"), r"must end in one of \.txt"),
        (("generate", "player", "--prompt", "songs.csv"), "holds 16 pieces, expected the beginning of one"),
        (("generate", "train"), "not a whole model folder"),
        (("predict", "writer", "test.txt"), "gatewise generate writer"),
        (("evaluate", "writer", "test.txt", "--windows", "2"), "--windows is for forecasts; this model writes"),
        (("evaluate", "writer", "nowhere.txt"), "neither a file nor a folder"),
        (("train", "generate", "train", "--cell", "phased", "--out", "x"), 'cell is "phased", which reads time'),
        (("train", "generate", "train", "--unit", "words", "--out", "x"), '--unit is "words"'),
        (("train", "generate", "train"), "missing --out DIR"),
    ],
)
def test_bad_input_is_one_message(gatewise: Program, place: Path, argv: tuple[str, ...], message: str) -> None:
    import re

    found = gatewise(*argv)
    assert found.code == 2, found
    assert re.search(message, found.err), found.err
    assert len(found.err.strip().splitlines()) == 1
    assert not Path("x").exists()


def test_a_learning_rate_is_found_and_a_search_is_made(gatewise: Program, place: Path) -> None:
    found = gatewise("train", "generate", "train", *TINY, "--find-learning-rate", "--json")
    assert found.code == 0, found
    assert 1e-6 < json.loads(found.out)["suggested"] < 1
    out = str(place / "search")
    for data, unit in (("train", "characters"), ("songs.csv", "events")):
        argv = ("--unit", unit, *TINY, "--space", "dropout=0,0.2", "--trials", "2", "--out", f"{out}-{unit}", "--json")
        told = gatewise("tune", "generate", data, *argv)
        assert told.code == 0, told
        best = load(f"{out}-{unit}/best")
        assert isinstance(best, Generator)
        assert best.validation_["nats"] == json.loads(told.out)["best"]["value"]
