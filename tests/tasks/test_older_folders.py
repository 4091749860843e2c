"""Model folders that were written before a parameter was added still load."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewise.checksum import json_sha256
from gatewise.tasks import Classifier, Transcriber, load


def model_of(task: str) -> Any:
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(20, 3)).astype(np.float32) for _ in range(12)]
    if task == "classify":
        return Classifier(4, members=1, max_epochs=1, threads=1).fit(frames, list("ab" * 6))
    return Transcriber("blstm", hidden_size=4, max_epochs=1, threads=1).fit(frames, ["ab", "ba"] * 6)


@pytest.mark.parametrize("task", ["classify", "transcribe"])
def test_a_folder_without_the_length_of_batches(task: str, tmp_path: Path) -> None:
    model = model_of(task)
    folder = model.save(tmp_path / "model")
    content = json.loads((folder / "config.json").read_text())
    del content["config"]["parameters"]["batch_frames"]
    content["sha256"]["config.json"] = json_sha256(content["config"])
    (folder / "config.json").write_text(json.dumps(content))
    again: Any = load(folder)
    assert again.batch_frames is None
    assert again.get_params() == model.get_params()
