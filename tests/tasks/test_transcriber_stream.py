"""A recording that comes bit by bit is read as it is read whole."""

import numpy as np
import pytest
import torch
from tests.tasks.transcripts import SMALL, recordings

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks import Transcriber
from gatewise.tasks.transcription.objective import run_network

X, Y = recordings(64, length=3)
CAUSAL = {**SMALL, "backbone": "lstm", "subsampling": 2, "look_ahead": 3, "max_epochs": 15}


@pytest.fixture(scope="module")
def model() -> Transcriber:
    return Transcriber(**CAUSAL).fit(X, Y)


@pytest.mark.parametrize("beam", [1, 4])
@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 1000])
def test_a_stream_reads_what_is_read_of_the_whole(model: Transcriber, beam: int, at_once: int) -> None:
    model.set_params(beam=beam)
    stream = model.stream()
    for frames, text in zip(X[:6], model.predict(X[:6]), strict=True):
        (logits,) = run_network(model.network_, model.examples([frames]))
        for start in range(0, len(frames), at_once):
            stream.feed(frames[start : start + at_once])
        found = stream.finish()
        assert torch.allclose(stream.logits, logits, atol=1e-6)
        assert found.text == text
        assert stream.finish() == found
        stream.reset()


def test_it_is_late_by_no_more_than_it_says(model: Transcriber) -> None:
    stream = model.stream()
    assert stream.look_ahead == 2 - 1 + 3
    frames = np.concatenate(X[:3])
    for count in range(1, 20):
        stream.feed(frames[count - 1 : count])
        # Step s reads frames 2 s to 2 s + 4.
        assert stream.steps == max(0, (count - 3) // 2)
    (whole,) = run_network(model.network_, model.examples([frames]))
    assert torch.allclose(stream.logits, whole[: stream.steps], atol=1e-6)


def test_steps_do_not_see_what_comes_after_their_look_ahead(model: Transcriber) -> None:
    one, two = X[0].copy(), X[0].copy()
    two[9:] += 1
    first, second = run_network(model.network_, model.examples([one, two]))
    same = (first == second).all(1)
    # Frame 9 is seen by step 3 (frames 6 to 10) first.
    assert same[:3].all()
    assert not same[3]


def test_what_is_written_grows(model: Transcriber) -> None:
    model.set_params(beam=1)
    stream, written = model.stream(), ""
    for frame in X[1]:
        text = stream.feed(frame[None])
        assert text.startswith(written)
        written = text
    assert stream.finish().text.startswith(written)


def test_a_model_of_sound_hears_samples() -> None:
    rng = np.random.default_rng(0)
    sounds = [rng.normal(0, 0.1, 6000).astype(np.float32) for _ in range(10)]
    model = Transcriber(**{**CAUSAL, "inputs": "audio", "max_epochs": 1}).fit(sounds, list("ababababab"))
    stream = model.stream()
    for start in range(0, 6000, 700):
        stream.hear(sounds[3][start : start + 700])
    found = stream.finish()
    assert stream.frames == 1 + (6000 - 400) // 160
    (logits,) = run_network(model.network_, model.examples([sounds[3]]))
    assert torch.allclose(stream.logits, logits, atol=1e-6)
    assert found.text == model.predict([sounds[3]])[0]
    both = Transcriber(**{**CAUSAL, "max_epochs": 1}).fit(X, Y)
    with pytest.raises(ConfigurationError, match="does not hear sound"):
        both.stream().hear(sounds[0])


def test_a_stream_says_what_is_wrong(model: Transcriber) -> None:
    stream = model.stream()
    with pytest.raises(DataError, match="no frames"):
        stream.finish()
    with pytest.raises(DataError, match=r"expected frames \[T, 4\], got \[3\]"):
        stream.feed(np.zeros(3))
    with pytest.raises(DataError, match="frame 2 is not finite"):
        stream.feed(np.array([[0.0] * 4, [0.0] * 4, [np.nan] * 4]))
    stream.feed(X[0])
    stream.finish()
    with pytest.raises(DataError, match="reset"):
        stream.feed(X[0])
    with pytest.raises(ConfigurationError, match="both directions"):
        Transcriber(**{**SMALL, "max_epochs": 1}).fit(X, Y).stream()
