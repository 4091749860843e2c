"""`torchrun -m gatewise train`: one model of two processes, and a stop that both obey."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from gatewise.tasks import load
from tests.cli.program import Outcome, sales, waves, write

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "gatewise")
TRAIN = (
    "train",
    "classify",
    "waves.ts",
    "--hidden-size",
    "4",
    "--members",
    "1",
    "--batch-size",
    "4",
    "--patience",
    "none",
)


def start(*argv: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run(*argv: str) -> Outcome:
    with start(*argv) as process:
        out, err = process.communicate(timeout=120)
    return Outcome(process.returncode, out, err)


def sha(model: str) -> str:
    return hashlib.sha256(Path(model, "model.safetensors").read_bytes()).hexdigest()


def test_two_workers_train_one_model_and_go_on_after_a_stop(here: Path) -> None:
    write("waves.ts", waves())
    options = ("--checkpoint-every", "20")
    whole = run(*TORCHRUN, *TRAIN, *options, "--out", "whole", "--json")
    assert whole.code == 0, whole.err
    assert whole.out.count("\n") == 1  # only one of them speaks
    assert json.loads(whole.out)["model"] == "whole"
    assert load("whole")

    with start(*TORCHRUN, *TRAIN, *options, "--out", "cut") as process:
        saved, deadline = Path("cut.run"), time.monotonic() + 60
        while len(list(saved.glob("checkpoint-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.count("gatewise resume cut.run") == 2, err  # to go on, or to finish; said once
    assert not Path("cut").exists()
    assert list(saved.glob("checkpoint-*"))
    gone_on = run(*TORCHRUN, "resume", "cut.run", "--json")
    assert gone_on.code == 0, gone_on.err
    assert sha("cut") == sha("whole")
    assert not saved.exists()


def test_mistakes_are_said_by_both_and_leave_nothing(here: Path) -> None:
    write("sales.csv", sales())
    forecast = ("train", "forecast", "sales.csv", "--horizon", "3")
    refused = run(*TORCHRUN, *forecast, "--target", "sails", "--out", "model")
    assert refused.code != 0
    assert "error: " in refused.err
    assert '"sails"' in refused.err
    assert not Path("model").exists()
