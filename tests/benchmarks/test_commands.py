"""The commands: what they write, print, and end with."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import __main__ as command
from benchmarks.speed.footprint import Size
from benchmarks.speed.points import Point
from benchmarks.speed.scaling import growth, run
from benchmarks.speed.selection import Selection
from tests.benchmarks.test_page import MACHINE, TRAINING, point, ratio

ASKED = command.Run(Selection(("training",), ("1/32/32",)), (1,), 0, "wall", None)


def test_results_are_measured_written_and_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    selection = Selection(("bidirectional-inference",), ("1/32/32",), quick=True)
    out = tmp_path / "new" / "speed.jsonl"
    command.run(command.Run(selection, (1,), 0, "wall", None), out)
    machine, measured = (json.loads(text) for text in out.read_text("utf-8").splitlines())
    assert machine["kind"] == "machine"
    assert machine["threads"] == 1
    assert machine["OMP_NUM_THREADS"] == "1"
    assert {"date", "cpu", "torch", "gatewise", "onnxruntime", "seed"} <= set(machine)
    assert measured["point"] == "1/32/32"
    assert set(measured["us"]) == {"gatewise", "torch.nn.LSTM"}
    assert "| Bidirectional, inference vs torch.nn.LSTM | 1 | 1 |" in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["speed.jsonl"]


def test_time_that_has_run_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    selection = Selection(("layers-inference",), quick=True)
    command.run(command.Run(selection, (1,), 0, "wall", 0.0), tmp_path / "speed.jsonl")
    assert "not measured: the time given had run out" in capsys.readouterr().out


def said(monkeypatch: pytest.MonkeyPatch, *lines: dict[str, Any], end: BaseException | None = None) -> None:
    """What the process that measures says, and how it ends."""

    def spoken(self: command.Run, threads: int, seconds: float | None) -> Iterator[dict[str, Any]]:
        yield from lines
        if end is not None:
            raise end

    monkeypatch.setattr(command.Run, "lines", spoken)


def test_a_refused_ratio_fails_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said(monkeypatch, MACHINE, point("1/32/32", {TRAINING: {"refused": "gatewise: error of output"}}))
    with pytest.raises(SystemExit, match=r"refused: training vs torch\.nn\.LSTM at 1/32/32, 1 thread: gatewise"):
        command.run(ASKED, tmp_path / "speed.jsonl")
    assert (tmp_path / "speed.jsonl").exists()


def test_a_check_says_what_is_not_right_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    said(monkeypatch, MACHINE, point("1/32/32", {}))
    monkeypatch.setattr(sys, "argv", ["speed", "--check", "--threads", "1", "--cases", "training"])
    command.main()
    assert capsys.readouterr().out == "1 points compared, 0 not\n"
    said(monkeypatch, MACHINE, point("1/32/32", {TRAINING: {"refused": "gatewise: error of output"}}))
    with pytest.raises(SystemExit, match="refused: training"):
        command.main()
    assert list(tmp_path.iterdir()) == []


def test_results_of_before_stay_when_a_run_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "speed.jsonl"
    out.write_text("old", "utf-8")
    said(monkeypatch, MACHINE, point("1/32/32", {TRAINING: ratio(2.0)}), end=SystemExit("failed"))
    with pytest.raises(SystemExit, match="failed"):
        command.run(ASKED, out)
    assert out.read_text("utf-8") == "old"
    assert len((tmp_path / "speed.jsonl.part").read_text("utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cases", "nothing"], "invalid choice"),
        (["--points", "3/3/3"], "no case chosen has the point 3/3/3"),
        (["--clock", "processor"], "use it with --threads 1"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["speed", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_plan_is_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["speed", "--list", "--threads", "2", "--cases", "layer-norm"])
    command.main()
    printed = capsys.readouterr().out
    assert printed.startswith("layer-norm: Layer-normed LSTM: training.")
    assert "2 threads: 5 points, about" in printed


def line(sweep: str, at: str, ms: float, megabytes: float) -> dict[str, Any]:
    return {"kind": "scaling", "sweep": sweep, "contender": "gatewise", "mode": "training", "threads": 1, "point": at,
            "ms": ms, "peak_mb": megabytes}  # fmt: skip


def test_growth_is_that_of_the_largest_sizes() -> None:
    steps = (10, 100, 1_000, 10_000, 100_000)
    # The smallest size is all overhead; the others are linear in time, quadratic in memory.
    lines = [line("T", f"1/{each}/8", 1.0 * max(each, 100), float(max(each, 100)) ** 2) for each in steps]
    (found,) = growth([*lines, {**line("T", "1/9/8", 0, 0), "reason": "left out"}][:5])
    assert (round(found.time, 6), round(found.memory, 6)) == (1, 2)
    assert not found.linear
    assert growth(lines[:2]) == []


@pytest.mark.parametrize(
    ("at", "reason"),
    [(Point(1024, 100_000, 512), "GB"), (Point(1, 3_000, 2_048), "would take about"), (Point(8, 100_000, 64), None)],
)
def test_sizes_too_large_are_left_out(at: Point, reason: str | None) -> None:
    said = Size("T", "gatewise", True, at, 1).too_large()
    assert said is None if reason is None else said is not None and reason in said


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_measured_above_the_start() -> None:
    small, large = run([Size("T", "gatewise", False, Point(8, steps, 64), 1) for steps in (100, 8_000)])
    kept = 2 * 4 * 8 * 8_000 * 64 / 1e6  # input and output
    assert small["peak_mb"] < kept < large["peak_mb"] < 10 * kept
    assert large["ms"] > 0
