"""The summary's words, and the page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.page import page
from benchmarks.speed.registry import COMPARISONS
from benchmarks.speed.report import drawn, reasons, write
from benchmarks.speed.results import Results, gathered, read
from benchmarks.speed.summary import Row, summarise, table

MACHINE = {
    "kind": "machine", "date": "2026-01-02T03:04:05+00:00", "cpu": "A Processor", "cores": 2, "instructions": "AVX512",
    "core_level": "x86_64_v4", "platform": "Linux", "python": "3.11.7", "gatewise": "0.1.0", "torch": "2.13.0",
    "onnxruntime": "1.32.0", "numpy": "2.4", "threads": 1, "seed": 0, "quick": False, "clock": "wall",
}  # fmt: skip
TRAINING, CHOICE = "training vs torch.nn.LSTM", 'training, "auto" vs the better of its backends'


def ratio(value: float, rival: str = "torch.nn.LSTM") -> dict[str, Any]:
    return {"rival": rival, "ratio": value, "low": round(value - 0.05, 4), "high": round(value + 0.05, 4)}


def point(at: str, ratios: Mapping[str, Any], threads: int = 1) -> dict[str, Any]:
    return {
        "kind": "point", "case": "training", "threads": threads, "point": at, "repeats": 21, "inner": {},
        "us": {"gatewise": 1234.5, "torch.nn.LSTM": 2345.6, 'backend="cpu"': 1200.0}, "backends": {"gatewise": "cpu"},
        "errors": {"gatewise": 1e-7}, "of_allowed": {"gatewise": 0.5}, "prepared_seconds": {}, "others": 0.02,
        "ratios": ratios,
    }  # fmt: skip


def results(*lines: Mapping[str, Any]) -> Results:
    return gathered([MACHINE, *lines])


def row(*ratios: float, refused: tuple[str, ...] = (), reasons: dict[str, list[str]] | None = None) -> Row:
    target = COMPARISONS[TRAINING][1].targets[1]  # 0.97 / 1.4 / 1.6
    found = {f"1/1/{k}": value for k, value in enumerate(ratios, 1)}
    highs = {name: value + 0.05 for name, value in found.items()}
    return Row(TRAINING, 1, target, found, highs, refused, reasons or {})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (row(1.5, 1.4), "reached"),
        (row(1.8, 1.7), "reached, the stretch too"),
        (row(1.2, 1.2), "**geomean missed** by 14.3%"),
        (row(0.97, 2.1), "reached"),
        (row(0.80, 3.0), "**floor missed** at 1 of 2 points, by 17.5% at 1/1/1"),
        (
            row(0.95, 0.90, 4.0, 4.0),
            "**floor missed** at 2 of 4 points (1 beyond the quartiles), most by 7.2% at 1/1/2",
        ),
        (row(0.5, 0.5), "**floor missed** at 2 of 2 points, most by 48.5% at 1/1/1; **geomean missed** by 64.3%"),
        (row(1.5, refused=("8/8/8",)), "reached; refused at 8/8/8"),
        (row(refused=("8/8/8",)), "refused at 8/8/8"),
        (row(reasons={"there is no core": ["1/1/1"]}), "not measured: there is no core"),
        (row(1.5, reasons={"no time": ["1/1/9"]}), "reached; not measured at 1/1/9: no time"),
    ],
)
def test_verdicts(given: Row, said: str) -> None:
    assert given.verdict() == said


def test_the_summary_of_results() -> None:
    found = results(
        point("1/32/32", {TRAINING: ratio(2.0), CHOICE: ratio(1.0, 'backend="cpu"')}),
        point("8/32/64", {TRAINING: ratio(0.5), CHOICE: {"refused": "gatewise: error of x"}}),
        {"kind": "skipped", "case": "streaming", "threads": 1, "point": "1/1/32", "reason": "there is none"},
    )
    lines = table(summarise(found))
    assert lines[2] == (
        "| training vs torch.nn.LSTM | 1 | 2 | **1.00** | 0.50 at 8/32/64 | 0.97 / 1.4 / 1.6 | "
        "**floor missed** at 1 of 2 points, by 48.5% at 8/32/64; **geomean missed** by 28.6% |"
    )
    assert lines[3] == f"| {CHOICE} | 1 | 1 | **1.00** | 1.00 at 1/32/32 | 0.97 / – / – | reached; refused at 8/32/64 |"
    assert lines[4] == ("| streaming step vs torch.nn.LSTM | 1 | 0 |  |  | 8 / 15 / 25 | not measured: there is none |")
    assert found.refused == [f"refused: {CHOICE} at 8/32/64, 1 thread: gatewise: error of x"]


def test_the_page() -> None:
    found = results(
        point("1/32/32", {TRAINING: ratio(1.9), CHOICE: ratio(0.9716, 'backend="cpu"')}),
        point("8/32/64", {TRAINING: {"refused": "gatewise: error of output"}}),
        {"kind": "skipped", "case": "streaming", "threads": 1, "point": "1/1/32", "reason": "there is none"},
        {"kind": "skipped", "case": "streaming", "threads": 1, "point": "1/1/128", "reason": "there is none"},
        {"kind": "skipped", "case": "streaming", "threads": 1, "point": "1/1/256", "reason": "there is none"},
    )
    text = page(found, {}, {"A plot": "images/plot.svg"})
    assert '| 1/32/32 | 1,234 (cpu) | 2,346: **1.90** (1.85–1.95) | backend="cpu" 1,200: **0.97** (0.92–1.02) |' in text
    assert "| 8/32/64 | 1,234 (cpu) | refused: gatewise: error of output |  |" in text
    assert "A Processor, 2 cores, AVX512 (compiled core: x86_64_v4)" in text
    assert "21 rounds. The largest error of ours is 50% of the one allowed." in text
    assert "Other processes took 2% of the machine at half of the points or more, 2% at the busiest." in text
    assert "Not measured with 1 thread: there is none." in text
    assert "![A plot](images/plot.svg)" in text
    assert "A quick run" not in text
    assert "## Inference\n" not in text  # nothing is known of it
    assert max(len(line) for line in text.splitlines() if not line.startswith(("|", "Not measured"))) <= 200
    assert text.endswith("\n")
    assert "\n\n\n" not in text


def test_a_busy_machine_is_told() -> None:
    lines = [{**point("1/32/32", {}), "others": share} for share in (0.0, 0.4, 0.8)]
    said = results(*lines).others
    assert said is not None
    assert said.startswith(
        "Other processes took 40% of the machine at half of the points or more, 80% at the busiest: on"
    )
    assert results({**point("1/32/32", {}), "others": None}).others is None


def test_a_quick_run_says_that_it_is_one() -> None:
    assert "**A quick run**" in page(gathered([{**MACHINE, "quick": True}]), {}, {})


def test_why_a_target_is_missed_is_told_of_those_that_are(tmp_path: Path) -> None:
    file = tmp_path / "why.toml"
    file.write_text(f"'{TRAINING}' = 'It is hard.'\n'{CHOICE}' = 'It is noise.'\n", "utf-8")
    found = results(point("1/32/32", {TRAINING: ratio(0.5), CHOICE: ratio(1.0, 'backend="cpu"')}))
    text = page(found, reasons(file), {})
    assert f"- **{TRAINING}**: It is hard." in text
    assert "noise" not in text
    file.write_text("nothing = 'x'", "utf-8")
    with pytest.raises(ValueError, match='there is no comparison "nothing"'):
        reasons(file)
    file.write_text(f"'{TRAINING}' = 3", "utf-8")
    with pytest.raises(ValueError, match="expected a sentence"):
        reasons(file)


def test_the_page_and_its_plots_are_written_and_are_the_same_again(tmp_path: Path) -> None:
    scaling = [
        {"kind": "scaling", "sweep": "T", "contender": name, "mode": mode, "threads": 1, "point": f"8/{steps}/64",
         "ms": steps / 100, "peak_mb": steps / 50, "others": 0.0}
        for steps in (100, 1_000, 10_000)
        for mode in ("inference", "training")
        for name in ("gatewise", "torch.nn.LSTM")
    ]  # fmt: skip
    lines = [MACHINE, point("1/32/32", {TRAINING: ratio(2.0)}), point("8/32/64", {TRAINING: ratio(1.0)}), *scaling]
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    path = write(read(file), {}, tmp_path)
    text = path.read_text("utf-8")
    images = sorted(each.name for each in (tmp_path / "images").iterdir())
    assert images == ["performance-scaling-t.svg", "performance-torch-1.svg"]
    assert all(f"(images/{name})" in text for name in images)
    assert "time T^1.00, memory T^1.00" in text
    assert "| 8/10000/64 | 100 ms, 200 MB |" in text
    assert drawn(read(file)) == {
        name: (what, (tmp_path / "images" / name).read_text("utf-8")) for name, (what, _) in drawn(read(file)).items()
    }


def test_lines_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match='got "guess"'):
        gathered([{"kind": "guess"}])
