"""Real kills of real processes, a few; `make long` kills many more."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.resuming import TASKS

ROOT = Path(__file__).parents[2]


def test_no_kill_leaves_an_unreadable_checkpoint_or_another_result() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.long.kills", "--kills", "6", "--terms", "3"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["task"] for row in rows] == list(TASKS), done.stderr
    for row in rows:
        assert row["wrong"] == []
        assert row["kills"] >= 6
        assert row["finished"] >= 1
        assert row["terms"] == 3
