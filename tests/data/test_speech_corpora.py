"""The folders of TIMIT and Common Voice, segments, and tables of utterances."""

import csv

import numpy as np
import pytest

from gatewise.data.audio import SpeechFeatures, read_audio
from gatewise.data.speech import (
    FOLDED,
    PHONES,
    Segment,
    Utterance,
    fold,
    fold_segments,
    framewise,
    read_common_voice,
    read_segments,
    read_timit,
    write_manifest,
    write_segments,
)
from gatewise.data.speech.timit import TEST, VALIDATION
from gatewise.errors import DataError
from tests.data.speech_folders import HEADER, SAID, make_common_voice, make_timit


@pytest.fixture
def timit(tmp_path):
    return lambda lower=False: make_timit(tmp_path / "timit", lower)


@pytest.mark.parametrize("lower", [False, True])
def test_timit_is_read_in_its_protocol(timit, lower):
    parts = read_timit(timit(lower))
    speakers = {part: sorted({u.speaker for u in utterances}) for part, utterances in parts.items()}
    assert speakers == {"train": ["FCJF0", "MARC0"], "validation": ["FAKS0"], "test": ["MDAB0"]}
    assert [u.text for u in parts["test"]] == [SAID["SI648"], SAID["SX37"]]  # not the sentence that everybody reads
    first = parts["train"][0]
    assert first.segments[1] == Segment(1600, 3000, "q")
    assert first.phones == ("h#", "q", "oy", "l", "h#")
    assert read_audio(first.path).seconds == 0.5


def test_the_sets_of_speakers_are_what_the_protocol_says():
    assert (len(VALIDATION), len(TEST), VALIDATION & TEST) == (50, 24, frozenset())
    women = {name for name in VALIDATION | TEST if name.startswith("F")}
    assert len(women) == 18 + 8


def test_what_timit_lacks_is_listed(timit):
    root = timit()
    (root / "TRAIN/DR1/FCJF0/SI648.WAV").unlink()
    (root / "TEST/DR1/MDAB0/SX37.TXT").unlink()
    with pytest.raises(DataError, match=r"2 files are missing: .*FCJF0/SI648.WAV, .*MDAB0/SX37.TXT"):
        read_timit(root)
    with pytest.raises(DataError, match="has no folder TRAIN and no folder TEST"):
        read_timit(root / "TRAIN")
    with pytest.raises(DataError, match="no folder"):
        read_timit(root / "nowhere")


def test_a_part_of_timit_without_utterances_is_refused(timit):
    root = timit()
    for path in root.glob("TEST/DR1/FAKS0/*"):
        path.unlink()
    with pytest.raises(DataError, match="no utterances for validation"):
        read_timit(root)


def test_a_text_that_is_not_timits_is_refused(timit):
    root = timit()
    (root / "TEST/DR1/MDAB0/SX37.TXT").write_text("Oil.")
    with pytest.raises(DataError, match=r'SX37.TXT": expected "first-sample last-sample text".*"Oil."'):
        read_timit(root)


def test_61_phones_are_folded_into_39():
    assert (len(PHONES), len(FOLDED)) == (61, 39)
    assert fold(PHONES) == tuple(p for phone in PHONES for p in fold([phone]))
    assert set(fold(PHONES)) == set(FOLDED)
    some = "h# bcl b ix q ao zh ax-h el nx eng hv ux axr epi"
    assert " ".join(fold(some.split())) == "sil sil b ih aa sh ah l n ng hh uw er sil"
    with pytest.raises(DataError, match='"sill" is none of TIMIT\'s 61 phones'):
        fold(["sill"])
    segments = (Segment(0, 5, "h#"), Segment(5, 7, "q"), Segment(7, 9, "zh"))
    assert fold_segments(segments) == (Segment(0, 5, "sil"), Segment(7, 9, "sh"))


def test_segments_survive_their_file(tmp_path):
    segments = (Segment(0, 5, "h#"), Segment(5, 7, "ax-h"))
    write_segments(tmp_path / "x.phn", segments)
    assert read_segments(tmp_path / "x.phn") == segments


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no segments"),
        ("0 5 a\n5 x b\n", 'line 2: expected "start end label" in samples, got "5 x b"'),
        ("0 5\n", "line 1"),
        ("0 5 a\n\n7 7 b\n", 'line 3: "7 7 b" ends before it begins'),
        ("0 5 a\n2 4 b\n", "line 2: .*ends before the segment above"),
    ],
)
def test_malformed_segments_are_told_by_line(tmp_path, text, message):
    (tmp_path / "x.phn").write_text(text)
    with pytest.raises(DataError, match=message):
        read_segments(tmp_path / "x.phn")
    with pytest.raises(DataError, match="no file"):
        read_segments(tmp_path / "y.phn")


def test_each_frame_has_the_label_of_its_middle():
    segments = [Segment(0, 1000, "a"), Segment(1000, 1100, "b"), Segment(1500, 4000, "c")]
    features = SpeechFeatures()
    labels = ["c", "b", "a"]
    found = framewise(segments, 24, features, labels)
    for t, label in enumerate(found):
        middle = 160 * t + 200
        assert labels[label] == ("a" if middle < 1000 else "b" if middle < 1100 else "c")
    assert (found.dtype, found[5], found[6]) == (np.int64, 1, 0)  # middles at 1000 and 1160, which is in a gap
    assert framewise(segments, 0, features, labels).shape == (0,)


def test_segments_of_another_recording_are_refused():
    segments = [Segment(0, 1000, "a"), Segment(1000, 4000, "b")]
    framewise(segments, 25, SpeechFeatures(), ["a", "b"])  # ends at 4240
    with pytest.raises(DataError, match=r'"x": its 27 frames end at sample 4560, but its segments at 4000'):
        framewise(segments, 27, SpeechFeatures(), ["a", "b"], "x")
    with pytest.raises(DataError, match='"x": b among 1 labels'):
        framewise(segments, 3, SpeechFeatures(), ["a"], "x")
    with pytest.raises(DataError, match="in the order of their ends"):
        framewise(segments[::-1], 3, SpeechFeatures(), ["a", "b"])
    with pytest.raises(DataError, match="has no segments"):
        framewise([], 3, SpeechFeatures(), ["a", "b"])


@pytest.fixture
def common_voice(tmp_path):
    return make_common_voice(tmp_path / "cv" / "en")


def test_common_voice_is_read(common_voice):
    parts = read_common_voice(common_voice)
    assert {part: len(utterances) for part, utterances in parts.items()} == {"train": 2, "validation": 1, "test": 1}
    assert parts["train"] == (
        Utterance(common_voice / "clips/one.mp3", 'He said "no"', "ann"),
        Utterance(common_voice / "clips/two.mp3", "Yes.", "bob"),
    )
    assert abs(read_audio(parts["test"][0].path).seconds - 1) < 0.2


def test_rows_of_common_voice_that_cannot_be_used_are_listed(common_voice):
    (common_voice / "train.tsv").write_text(
        HEADER + "a\tgone.mp3\t1\tHi.\t2\nb\tone.mp3\t2\t \t2\nc\tone.mp3\t3\nd\tone.mp3\t1\tHi.\t2\n"
    )
    with pytest.raises(DataError) as caught:
        read_common_voice(common_voice)
    assert 'train.tsv": 3 rows cannot be used' in str(caught.value)
    for fault in (
        'line 2: no file "clips/gone.mp3"',
        "line 3: no sentence",
        "line 4: 3 fields, where the header has 5",
    ):
        assert fault in str(caught.value)


def test_folders_that_are_not_common_voices_are_refused(common_voice):
    with pytest.raises(DataError, match=r'no file ".*train.tsv"; expected the folder of one language: en'):
        read_common_voice(common_voice.parent)
    with pytest.raises(DataError, match="no folder"):
        read_common_voice(common_voice / "nowhere")
    (common_voice / "dev.tsv").write_text(HEADER.replace("sentence\t", "text\t"))
    with pytest.raises(DataError, match="has no column sentence"):
        read_common_voice(common_voice)
    (common_voice / "dev.tsv").write_text(HEADER)
    with pytest.raises(DataError, match=r'dev.tsv" has no rows'):
        read_common_voice(common_voice)
    (common_voice / "dev.tsv").write_bytes(b"\xff\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_common_voice(common_voice)


def test_a_manifest_is_a_table_beside_its_recordings(tmp_path):
    utterances = [
        Utterance(tmp_path / "clips" / "x, y.wav", 'He said "no"', "ann", (Segment(0, 5, "h#"), Segment(5, 9, "zh"))),
        Utterance(tmp_path / "y.wav", "Yes.", "bob"),
    ]
    (tmp_path / "tables").mkdir()
    write_manifest(tmp_path / "tables" / "m.csv", utterances)
    with (tmp_path / "tables" / "m.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"path": "../clips/x, y.wav", "text": 'He said "no"', "phones": "h# zh", "speaker": "ann"}
    assert rows[1]["phones"] == ""
    write_manifest(tmp_path / "m.csv", utterances, [("sil", "sh"), ()])
    assert '"clips/x, y.wav","He said ""no""",sil sh,ann' in (tmp_path / "m.csv").read_text()
    write_manifest(tmp_path / "m.csv", utterances, folded=[("sil", "sh"), ("y",)])
    assert (tmp_path / "m.csv").read_text().splitlines()[::2] == [
        "path,text,phones,folded,speaker",
        "y.wav,Yes.,,y,bob",
    ]
    write_manifest(tmp_path / "m.csv", utterances[1:])
    assert (tmp_path / "m.csv").read_text() == "path,text,speaker\ny.wav,Yes.,bob\n"
    for given in ({"phones": [("sil",)]}, {"folded": [("sil",)]}):
        with pytest.raises(DataError, match="phones for each of 2 utterances, got 1"):
            write_manifest(tmp_path / "m.csv", utterances, **given)
    with pytest.raises(DataError, match="at least one utterance"):
        write_manifest(tmp_path / "m.csv", [])
