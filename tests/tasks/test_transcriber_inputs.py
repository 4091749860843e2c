"""Recordings of every kind become the frames that the data's own functions make, and bad ones are refused by name."""

import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.tasks.transcripts import SMALL

from gatewise.data.audio import Recording, SpeechFeatures, read_audio
from gatewise.data.images import columns, normalise_line, read_line
from gatewise.data.ink import Ink, ink_features, write_inkml
from gatewise.errors import AudioWarning, ConfigurationError, DataError
from gatewise.tasks import Transcriber, load
from gatewise.tasks.transcription.frontends import front_end
from gatewise.tasks.transcription.inputs import find_kind, read_examples


def draw_line(path: Path, seed: int = 0) -> Path:
    picture = np.full((40, 90), 255, np.uint8)
    for x in np.random.default_rng(seed).integers(5, 80, 4):
        picture[8:30, x : x + 4] = 0
    Image.fromarray(picture).save(path)
    return path


def strokes(seed: int = 0) -> list[list[list[float]]]:
    rng = np.random.default_rng(seed)
    return [(np.cumsum(rng.normal(1, 1, (12, 2)), axis=0)).tolist() for _ in range(3)]


def play(path: Path, seed: int = 0, rate: int = 16000) -> Path:
    rng = np.random.default_rng(seed)
    tone = np.sin(np.arange(rate // 2) * rng.uniform(0.1, 0.5))
    samples = (3000 * tone + 300 * rng.normal(size=len(tone))).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def test_images_become_columns(tmp_path: Path) -> None:
    path = draw_line(tmp_path / "a.png")
    expected = columns(normalise_line(read_line(path), 24))
    front = front_end("image", {"height": 24})
    for X in ([path], [str(path)], [np.asarray(Image.open(path))]):
        found = read_examples(X, ["x"], front)
        assert np.array_equal(found.frames[0], expected)
    assert find_kind([path]) == "image"


def test_sound_becomes_features(tmp_path: Path) -> None:
    path = play(tmp_path / "a.wav")
    expected = SpeechFeatures()(read_audio(path))
    plain = front_end("audio", {"by_utterance": False})
    assert np.array_equal(read_examples([path], ["x"], plain).frames[0], expected)
    assert np.array_equal(read_examples([read_audio(path)], ["x"], plain).frames[0], expected)
    normalised = read_examples([path], ["x"], front_end("audio", {})).frames[0]
    assert np.allclose(normalised.mean(0), 0, atol=1e-4)
    assert np.allclose(normalised.std(0), 1, atol=1e-2)
    assert find_kind([path]) == find_kind([Recording(np.zeros(8000, np.float32), 16000)]) == "audio"


def test_strokes_become_features(tmp_path: Path) -> None:
    ink = Ink.from_strokes(strokes(), text="ab")
    write_inkml(ink, tmp_path / "a.inkml")
    front = front_end("ink", {})
    expected = ink_features(ink)
    assert np.array_equal(read_examples([ink], ["x"], front).frames[0], expected)
    assert np.array_equal(read_examples([strokes()], ["x"], front).frames[0], expected)
    found = read_examples(tmp_path, None, front)  # the text stands in the file
    assert found.texts == ("ab",)
    assert np.allclose(found.frames[0], expected, atol=1e-3)
    (tmp_path / "a.txt").write_text("cd")  # but one beside it is closer to hand
    assert read_examples(tmp_path, None, front).texts == ("cd",)
    rows = '"' + json.dumps(strokes()) + '"'
    (tmp_path / "manifest.csv").write_text(f"strokes,text\n{rows},ef\n")
    listed = read_examples(tmp_path / "manifest.csv", None, front)
    assert (listed.texts, listed.names) == (("ef",), ("row 1",))
    assert np.array_equal(listed.frames[0], expected)
    assert find_kind(tmp_path / "manifest.csv") == find_kind([ink]) == "ink"


def test_frames_come_out_of_files(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", frames)
    assert np.array_equal(read_examples([tmp_path / "a.npy"], ["x"], front_end("frames", {})).frames[0], frames)
    np.save(tmp_path / "b.npy", np.array([{"code": 1}]), allow_pickle=True)
    with pytest.raises(DataError, match=r"b\.npy.* cannot be read"):
        read_examples([tmp_path / "b.npy"], ["x"], front_end("frames", {}))


def test_a_model_of_images_reads_images(tmp_path: Path) -> None:
    for k in range(10):
        draw_line(tmp_path / f"{k}.png", seed=k)
        (tmp_path / f"{k}.txt").write_text("ab"[k % 2])
    model = Transcriber(**{**SMALL, "backbone": None, "max_epochs": 1, "height": 16}).fit(tmp_path)
    assert model.backbone_ == "conv-blstm"
    assert model.n_features_in_ == 16
    again = load(model.save(tmp_path / "model"))
    assert isinstance(again, Transcriber)
    assert again.predict([tmp_path / "3.png"]) == model.predict([str(tmp_path / "3.png")])
    (tmp_path / "bad.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(DataError, match=r"cannot be read as an image") as caught:
        again.predict([tmp_path / "bad.png"])
    assert "bad.png" in str(caught.value)


def test_recordings_of_several_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="of one kind, got audio and image"):
        Transcriber(**SMALL).fit([draw_line(tmp_path / "a.png"), play(tmp_path / "a.wav")], ["a", "b"])
    with pytest.raises(ConfigurationError, match=re.escape('files end in ".gif"')):
        Transcriber(**SMALL).fit([tmp_path / "a.gif"], ["a"])


def test_what_is_wrong_with_strokes_is_said_by_name(tmp_path: Path) -> None:
    front = front_end("ink", {})
    (tmp_path / "manifest.csv").write_text('strokes,text\n"[[[1, 2]]",a\n')
    with pytest.raises(DataError, match="row 1"):
        read_examples(tmp_path / "manifest.csv", None, front)
    write_inkml(Ink.from_strokes(strokes(), text="ab"), tmp_path / "a.inkml")
    write_inkml(Ink.from_strokes(strokes()), tmp_path / "b.inkml")
    with pytest.raises(DataError, match=r"1 of 2 files of strokes have no text in them: .*b\.inkml"):
        read_examples(tmp_path, None, front)
    with pytest.raises(DataError, match="the texts are missing"):
        read_examples([tmp_path / "b.inkml"], None, front)


def test_all_recordings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    paths = [draw_line(tmp_path / f"{k}.png", k) for k in range(4)]
    paths[1].write_bytes(b"")
    paths[3].write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(DataError, match=r"2 of 4 recordings cannot be read: .*1\.png.* is empty .*; .*3\.png"):
        read_examples(paths, list("abcd"), front_end("image", {"height": 24}))
    with pytest.raises(DataError, match=r'^"[^;]*1\.png" is empty'):
        read_examples(paths[:3], list("abc"), front_end("image", {"height": 24}))


def test_silence_and_clipping_are_said_once_of_all_recordings(tmp_path: Path) -> None:
    paths = [play(tmp_path / f"{k}.wav", k) for k in range(3)]
    for path in paths[:2]:
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16000, 8000, "NONE", "not compressed"))
            file.writeframes(bytes(16000))
    front = front_end("audio", {"by_utterance": False})
    with pytest.warns(AudioWarning) as said:
        assert len(read_examples(paths, list("abc"), front)) == 3
    assert len(said) == 1
    assert re.match(r"2 of 3 recordings .*0\.wav.* is silent: .*; .*1\.wav.* is silent", str(said[0].message))
    assert said[0].filename == __file__
