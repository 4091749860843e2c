"""A model folder comes back as written, and every damage to it is one clear message."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gatewise.errors import ModelFolderError
from gatewise.tasks.folder import FILES, check_weights, check_writable, read_folder, write_folder
from gatewise.version import __version__

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(1)}


def write(path: Path, **changes: Any) -> Path:
    given: dict[str, Any] = {
        "task": "classify",
        "weights": WEIGHTS,
        "config": {"hidden_size": np.int64(3), "classes": ["a", "ä"], "scale": np.array([1.0, 0.1])},
        "metrics": {"accuracy": np.float64(0.5)},
        "card": "# A model\n",
    }
    return write_folder(path, **{**given, **changes})


def edit_config(folder: Path, **changes: object) -> None:
    head = json.loads((folder / "config.json").read_text())
    for name, value in changes.items():
        if value is None:
            del head[name]
        else:
            head[name] = value
    (folder / "config.json").write_text(json.dumps(head))


def test_it_comes_back_as_written(tmp_path: Path) -> None:
    folder = write(tmp_path / "deep" / "model", extra={"train.toml": "seed = 0\n", "log.jsonl": b"{}\n"})
    read = read_folder(str(folder))
    assert (read.task, read.version, read.path) == ("classify", __version__, folder)
    assert read.config == {"hidden_size": 3, "classes": ["a", "ä"], "scale": [1.0, 0.1]}
    assert read.metrics == {"accuracy": 0.5}
    assert read.weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(read.weights[name], WEIGHTS[name]) for name in WEIGHTS)
    assert {path.name for path in folder.iterdir()} == {*FILES, "train.toml", "log.jsonl"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    check_weights(read, WEIGHTS)


def test_an_existing_model_is_replaced_only_when_asked(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    with pytest.raises(ModelFolderError, match=r"already holds a trained model.*overwrite"):
        write(folder, metrics={"accuracy": 0.9})
    assert read_folder(folder).metrics == {"accuracy": 0.5}
    write(folder, metrics={"accuracy": 0.9}, overwrite=True)
    assert read_folder(folder).metrics == {"accuracy": 0.9}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_is_not_a_model_is_never_replaced(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "config.json").write_text('{"camera": 1}')
    (tmp_path / "file").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(write(tmp_path / "model"))
    for path in (photos, tmp_path / "file", link):
        with pytest.raises(ModelFolderError, match="not a gatewise model folder"):
            write(path, overwrite=True)
    with pytest.raises(ModelFolderError, match="file is not a folder"):
        check_writable(tmp_path / "file" / "model")
    assert (photos / "config.json").read_text() == '{"camera": 1}'
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")
    assert read_folder(tmp_path / "empty").task == "classify"


def test_nothing_is_left_of_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "model", metrics={"accuracy": float("nan")})
    with pytest.raises(ModelFolderError, match="cannot be an extra file"):
        write(tmp_path / "model", extra={"../escape": ""})
    with pytest.raises(ModelFolderError, match="cannot be an extra file"):
        write(tmp_path / "model", extra={"config.json": ""})
    folder = write(tmp_path / "kept")
    with monkeypatch.context() as patch:
        patch.setattr("gatewise.disk.rename", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        for path in (tmp_path / "model", folder):
            with pytest.raises(OSError, match="disk full"):
                write(path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert read_folder(folder).metrics == {"accuracy": 0.5}


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=f"{name} missing"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "metrics.json"])
def test_a_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "model")
    content = (folder / name).read_bytes()
    for length in (0, len(content) // 2, len(content) - 2):
        (folder / name).write_bytes(content[:length])
        with pytest.raises(ModelFolderError, match=rf"{name}.* truncated or altered"):
            read_folder(folder)


def test_one_altered_byte_of_the_weights_is_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelFolderError, match=r"model.safetensors .* altered"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has format 2, written by gatewise .* Upgrade gatewise"),
        ({"format": 0}, "was altered: format 0"),
        ({"format": "one"}, "\"format\" is 'one'"),
        ({"format": None}, '"format" is None'),
        ({"run": "os.system"}, "unknown key run"),
        ({"task": None}, "missing key task"),
        ({"task": 3}, '"task" is not of type str'),
        ({"sha256": {}}, "truncated or altered"),
        ({"config": []}, '"config" is not of type dict'),
        ({"config": {"hidden_size": 4, "classes": ["a", "ä"], "scale": [1.0, 0.1]}}, "config.json is .*altered"),
    ],
)
def test_an_altered_config_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    folder = write(tmp_path / "model")
    edit_config(folder, **changes)
    with pytest.raises(ModelFolderError, match=message):
        read_folder(folder)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="no model folder"):
        read_folder(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFolderError, match="is a file; expected a model folder"):
        read_folder(tmp_path / "file")
    folder = write(tmp_path / "model")
    (folder / "config.json").write_text("[]")
    with pytest.raises(ModelFolderError, match="expected a JSON object, found list"):
        read_folder(folder)


def test_weights_that_do_not_fit_the_configuration_are_named(tmp_path: Path) -> None:
    read = read_folder(write(tmp_path / "model"))
    with pytest.raises(ModelFolderError, match=r"a\.weight has shape \(2, 3\), expected \(2, 4\)"):
        check_weights(read, {**WEIGHTS, "a.weight": torch.zeros(2, 4)})
    with pytest.raises(ModelFolderError, match=r"weight b has shape \(\), expected none"):
        check_weights(read, {"a.weight": WEIGHTS["a.weight"]})
