"""Speech and pronunciations for benchmarks, with stand-ins for flite and for the dictionary."""

import csv
import itertools
import re
import wave

import numpy as np
import pytest

from benchmarks.data import flite, pronunciations
from gatewise.data.audio import read_audio
from gatewise.data.speech import Segment, read_segments

DICTIONARY = """'bout B AW1 T
aalborg AO1 L B AO0 R G # place, danish
read R EH1 D
read(2) R IY1 D
a AH0
a(2) EY1
record R AH0 K AO1 R D
record(2) R EH1 K ER0 D
record(3) R AH0 K AO2 R D
"""


def test_a_dictionary_is_read():
    words = pronunciations.parse(DICTIONARY)
    assert [word.spelling for word in words] == ["'bout", "aalborg", "read", "a", "record"]
    assert words[1].pronunciations == (("AO", "L", "B", "AO", "R", "G"),)
    assert words[2].pronunciations == (("R", "EH", "D"), ("R", "IY", "D"))
    assert len(words[4].pronunciations) == 2  # the third differs in stress alone


@pytest.fixture
def dictionary(monkeypatch):
    letters = "bcdfgklmnprst"
    names = ["".join(word) for word in itertools.product(letters, "aeiou", letters)]
    words = tuple(pronunciations.Word(name, (tuple(name.upper()),)) for name in names)
    monkeypatch.setattr(pronunciations, "words", lambda: words)
    pronunciations.split.cache_clear()
    yield words
    pronunciations.split.cache_clear()


def test_the_split_is_nine_to_one_and_fixed(dictionary, tmp_path):
    train, test = pronunciations.split()
    order = np.random.default_rng(0).permutation(len(dictionary))
    assert [word.spelling for word in train[:3]] == [dictionary[place].spelling for place in order[:3]]
    assert (len(train), len(test)) == (760, 85)
    assert not {word.spelling for word in train} & {word.spelling for word in test}
    pronunciations.write(tmp_path / "out" / "test", (*test[:1], pronunciations.parse(DICTIONARY)[2]))
    with (tmp_path / "out" / "test" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"text": test[0].spelling, "phones": " ".join(test[0].spelling.upper()), "variants": ""}
    assert rows[1] == {"text": "read", "phones": "R EH D", "variants": "R IY D"}


def test_sentences_of_training_and_of_tests_share_no_word_of_the_dictionary(dictionary):
    train, test = flite.fillers()
    assert len(train) + len(test) == len(dictionary)
    for words, part in ((train, flite.TRAIN), (test, flite.TEST)):
        drawn = list(itertools.islice(flite.sentences(words, 0, part), 300))
        assert drawn == list(itertools.islice(flite.sentences(words, 0, part), 300))
        assert not any("_" in text for text in drawn)
        fixed = set(re.findall(r"[A-Za-z]+", " ".join(flite.TEMPLATES)))
        filled = {word for text in drawn for word in re.findall(r"[A-Za-z]+", text)} - fixed
        assert filled <= set(words)
    assert next(flite.sentences(train, 0, flite.TRAIN)) != next(flite.sentences(train, 1, flite.TRAIN))


class StandIn:
    """Speaks a letter as a phone of 100 ms, between pauses of 200 ms; the last pause is `cut` samples shorter."""

    def __init__(self, cut=0):
        self.cut = cut

    def __call__(self, *arguments):
        options = dict(itertools.pairwise(arguments))
        phones = [letter for letter in options["-t"] if letter.isalpha()]
        ends = [0.2 + 0.1 * k for k in range(len(phones) + 1)] + [0.4 + 0.1 * len(phones)]
        with wave.open(options["-o"], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            samples = np.random.default_rng(0).integers(-999, 999, round(16000 * ends[-1]) - self.cut)
            file.writeframes(samples.astype("<i2").tobytes())
        return " ".join(f"{p}:{end:.3f}" for p, end in zip(["pau", *phones, "pau"], ends, strict=True)) + " \n"


def test_speech_is_written_with_its_phones(monkeypatch, tmp_path):
    monkeypatch.setattr(flite, "program", lambda: StandIn(cut=1600))
    digest = flite.write(tmp_path / "out" / "test", ["a bc", "d"], ["slt", "rms"])
    assert digest == flite.write(tmp_path / "again", ["a bc", "d"], ["slt", "rms"])
    with (tmp_path / "out" / "test" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"path": "slt-00000.wav", "text": "a bc", "phones": "a b c", "speaker": "slt"},
        {"path": "rms-00001.wav", "text": "d", "phones": "d", "speaker": "rms"},
    ]
    segments = read_segments(tmp_path / "out" / "test" / "rms-00001.phn")
    assert segments == (Segment(0, 3200, "pau"), Segment(3200, 4800, "d"), Segment(4800, 6400, "pau"))
    assert len(read_audio(tmp_path / "out" / "test" / "rms-00001.wav").samples) == 6400
    with pytest.raises(SystemExit, match="is there already"):
        flite.write(tmp_path / "again", ["d"], ["slt"])


@pytest.mark.parametrize("cut", [-81, 3201])
def test_phones_that_do_not_fit_the_sound_are_refused(monkeypatch, tmp_path, cut):
    monkeypatch.setattr(flite, "program", lambda: StandIn(cut=cut))
    with pytest.raises(SystemExit, match="flite wrote"):
        flite.write(tmp_path / "out", ["d"], ["slt"])
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_flite_the_package_is_named(monkeypatch):
    monkeypatch.setattr(flite.shutil, "which", lambda name: None)
    flite.program.cache_clear()
    with pytest.raises(SystemExit, match="apt-get install flite"):
        flite.program()
    flite.program.cache_clear()
