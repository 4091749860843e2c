"""From recordings to a transcriber to texts, alignments and a report, through the commands."""

import json
import os
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gatewise.data import read_table
from gatewise.tasks import Transcriber, load
from tests.cli.program import Outcome, Program

TINY = ("--hidden-size", "8", "--max-epochs", "2", "--threads", "1", "--height", "16", "--batch-size", "8")
BARS = {"l": (3,), "i": (6,), "H": (2, 6), "w": (1, 4, 7)}  # where the bars of each letter are


def draw(path: Path, text: str, seed: int) -> None:
    """A line of letters that are made of bars."""
    rng = np.random.default_rng(seed)
    picture = np.full((20, 6 + 12 * len(text)), 255, np.uint8)
    for place, letter in enumerate(text):
        for bar in BARS[letter]:
            x = 3 + 12 * place + bar
            top = int(rng.integers(1, 4))
            picture[top : top + 14, x : x + 2] = 0
    Image.fromarray(picture).save(path)


def lines(folder: Path, count: int, seed: int = 0, manifest: bool = True) -> list[str]:
    """Images of lines, with a manifest, or each with a text beside it."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list(BARS), rng.integers(2, 6))) for _ in range(count)]
    for k, text in enumerate(texts):
        draw(folder / f"{k:02}.png", text, seed + k)
        if not manifest:
            (folder / f"{k:02}.txt").write_text(text + "\n")
    if manifest:
        rows = "".join(f"{k:02}.png,{text}\n" for k, text in enumerate(texts))
        (folder / "manifest.csv").write_text("path,text\n" + rows)
    return texts


def answer(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome
    assert outcome.err == ""
    return json.loads(outcome.out)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with lines to train with and to test on, and the model of them."""
    here = tmp_path_factory.mktemp("transcribe")
    before = Path.cwd()
    os.chdir(here)
    try:
        lines(Path("train"), 100)
        lines(Path("test"), 12, seed=100, manifest=False)
        model = Transcriber(hidden_size=16, height=16, max_epochs=50, batch_size=4, threads=1, augmentation=0.5)
        model.fit("train/manifest.csv").save("reader")
    finally:
        os.chdir(before)
    return here


@pytest.fixture
def reader(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(trained)
    return tmp_path


def test_a_transcriber_is_trained_and_says_how_well(gatewise: Program, reader: Path) -> None:
    out = str(reader / "model")
    found = answer(
        gatewise("train", "transcribe", "train/manifest.csv", "--test", "test", *TINY, "--out", out, "--json")
    )
    assert (found["task"], found["evaluated_on"], found["interrupted"]) == ("transcribe", "held_out", False)
    assert found["metrics"]["sequences"] == 12
    model = load(out)
    assert isinstance(model, Transcriber)
    assert model.evaluate("test") == found["metrics"]
    assert {path.name for path in Path(out).iterdir()} == {
        "model.safetensors", "config.json", "metrics.json", "README.md", "train.toml", "report.html", "report.json",
        "log.jsonl",
    }  # fmt: skip
    assert [path.name for path in reader.iterdir()] == ["model"]
    again = str(reader / "again")
    same = answer(
        gatewise("train", "transcribe", "train/manifest.csv", "--config", f"{out}/train.toml", "--out", again, "--json")
    )
    assert same["metrics"] == found["metrics"]


def test_it_is_resumed_from_a_folder_of_pairs(gatewise: Program, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewise.tasks.transcription.objective import TranscribeObjective
    from gatewise.training import interrupt

    out, losses = str(reader / "model"), 0
    plain = TranscribeObjective.loss

    def loss(self: Any, batch: Any) -> Any:
        nonlocal losses
        losses += 1
        if losses == 3:
            os.kill(os.getpid(), interrupt.signal.SIGTERM)
        return plain(self, batch)

    monkeypatch.setattr(TranscribeObjective, "loss", loss)
    cut = gatewise("train", "transcribe", "test", *TINY, "--out", out, "--json")
    assert cut.code == 130
    assert "gatewise resume" in cut.err
    assert answer(gatewise("resume", f"{out}.run", "--json"))["model"] == out
    straight = str(reader / "straight")
    answer(gatewise("train", "transcribe", "test", *TINY, "--out", straight, "--json"))
    assert Path(out, "model.safetensors").read_bytes() == Path(straight, "model.safetensors").read_bytes()


def test_a_plan_is_shown(gatewise: Program, reader: Path) -> None:
    found = answer(gatewise("train", "transcribe", "test", *TINY, "--dry-run", "--json"))
    assert [layer["kind"] for layer in found["layers"]] == ["Conv2d", "Conv2d", "Conv2d", "LSTM", "Linear"]


def test_texts_are_printed_or_written(gatewise: Program, reader: Path) -> None:
    files = ["test/00.png", "test/03.png"]
    said = [Path(name).with_suffix(".txt").read_text().strip() for name in files]
    printed = gatewise("predict", "reader", *files)
    assert printed.code == 0
    assert printed.out.splitlines() == [f"{name}  {text}" for name, text in zip(files, said, strict=True)]
    found = answer(gatewise("predict", "reader", *files, "--json"))
    assert [row["text"] for row in found["recordings"]] == said
    table = str(reader / "texts.parquet")
    assert gatewise("predict", "reader", "test", "--out", table).code == 0
    rows = pq.read_table(table).to_pylist()
    assert [row["recording"] for row in rows] == [f"test/{k:02}.png" for k in range(12)]
    assert all(0 < row["confidence"] <= 1 for row in rows)


def test_a_model_is_evaluated(gatewise: Program, reader: Path) -> None:
    found = answer(gatewise("evaluate", "reader", "test", "--json"))
    texts = [Path(f"test/{k:02}.txt").read_text().strip() for k in range(12)]
    rows = answer(gatewise("predict", "reader", "test", "--json"))["recordings"]
    read = [row["text"] for row in rows]
    assert found["cer"] == pytest.approx(jiwer.cer(texts, read))
    assert found["cer"] < 0.1
    assert sum(found["calibration"]["count"]) == 12
    assert sum(pair["count"] for pair in found["confusions"]) == round(found["cer"] * sum(map(len, texts)))
    printed = gatewise("evaluate", "reader", "test")
    assert printed.code == 0
    assert "text_error" in printed.out


def test_a_text_is_aligned(gatewise: Program, reader: Path) -> None:
    text = Path("test/00.txt").read_text().strip()
    found = answer(gatewise("align", "reader", "test/00.png", "test/00.txt", "--json"))
    assert "".join(row["symbol"] for row in found["symbols"]) == text
    starts = [row["start"] for row in found["symbols"]]
    assert starts == sorted(starts)
    table = str(reader / "where.csv")
    assert gatewise("align", "reader", "test/00.png", text, "--out", table).code == 0
    assert read_table(table).column("start").to_pylist() == starts
    printed = gatewise("align", "reader", "test/00.png", text)
    assert printed.code == 0
    assert printed.out.count("│") > 0


def test_a_report_shows_lines_and_posteriors(gatewise: Program, reader: Path) -> None:
    page = reader / "report.html"
    assert gatewise("report", "reader", "test", "--out", str(page)).code == 0
    text = page.read_text(encoding="utf-8")
    assert "Transcription report" in text
    assert "Confidences" in text
    assert text.count('class="symbols wide"') == 8
    assert "Confusion matrix" in text
    assert "test/00.png" in text


def test_mistakes_are_said(gatewise: Program, reader: Path) -> None:
    manifest = reader / "manifest.csv"
    manifest.write_text("path,text\nno.png,l\n")
    gone = str(reader / "gone.wav")
    for argv, said in (
        (("train", "transcribe", str(manifest), "--out", str(reader / "m")), "1 of 1 rows of"),
        (("train", "transcribe", "test"), "missing --out"),
        (("train", "transcribe", "test", "--backbone", "blstn", "--out", str(reader / "m")), 'did you mean "blstm"'),
        (("train", "transcribe", "test", "--inputs", "film", "--out", str(reader / "m")), '"frames"'),
        (("predict", "reader", gone), "neither a file nor a folder"),
        (("predict", "reader", "test/00.txt"), "no recording that this model reads"),
        (("align", "reader", "test/00.png", "lxl"), "not in the vocabulary"),
        (("align", "reader", "test/00.png", "lililililililililililililililililililili"), "too short for their text"),
        (("evaluate", "reader", "test", "--windows", "2"), "reads whole sequences"),
    ):
        found = gatewise(*argv)
        assert found.code == 2, argv
        assert said in found.err, found.err
        assert found.err.count("\n") == 1
    assert [path.name for path in reader.iterdir()] == ["manifest.csv"]
