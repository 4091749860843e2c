import csv
import json

import pytest

from tests.data.speech_folders import make_common_voice, make_timit

STROKES = """<WhiteboardCaptureSession><StrokeSet><Stroke><Point x="1" y="2" time="3"/></Stroke></StrokeSet>
</WhiteboardCaptureSession>"""


@pytest.fixture
def ondb(here):
    """IAM-OnDB with two forms of a line each."""
    for form in ("a01-000u", "b04-010z"):
        for folder, name, content in (
            ("lineStrokes", f"{form}-01.xml", STROKES),
            ("ascii", f"{form}.txt", f"CSR:\n\n{form} says this\n"),
        ):
            place = here / "ondb" / folder / form[:3] / form[:7]
            place.mkdir(parents=True)
            (place / name).write_text(content)
    return here / "ondb"


def write_lists(folder):
    lists = {"trainset": "a01-000u", "testset_v": "", "testset_t": "", "testset_f": "b04-010z"}
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text)


def test_a_table_for_each_part_that_has_lines(ondb, gatewise, tmp_path):
    write_lists(ondb)
    outcome = gatewise("corpus", "iam-ondb", "ondb", "--out", "new/lines")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == ["new/lines/train.csv  1 lines", "new/lines/test.csv   1 lines"]
    assert sorted(path.name for path in (tmp_path / "new" / "lines").iterdir()) == ["test.csv", "train.csv"]
    with (tmp_path / "new" / "lines" / "test.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["text"] == "b04-010z says this"
    assert (tmp_path / "new" / "lines" / row["path"]).read_text() == STROKES


def test_without_lists_there_is_one_table(ondb, gatewise):
    outcome = gatewise("corpus", "iam-ondb", "ondb", "--out", "lines", "--json")
    assert json.loads(outcome.out) == {"all": {"table": "lines/all.csv", "lines": 2}}


def test_tables_that_are_there_are_replaced_only_when_asked(ondb, gatewise, tmp_path):
    (tmp_path / "all.csv").write_text("mine")
    refused = gatewise("corpus", "iam-ondb", "ondb", "--out", ".")
    assert refused.code == 2
    assert '"all.csv" would be replaced' in refused.err
    assert (tmp_path / "all.csv").read_text() == "mine"
    assert gatewise("corpus", "iam-ondb", "ondb", "--out", ".", "--overwrite").code == 0
    assert (tmp_path / "all.csv").read_text() != "mine"


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (("iam-on", "ondb"), ['no corpus "iam-on"', 'did you mean "iam-ondb"']),
        (("iam", "ondb"), ["lines", "expected the folder of IAM"]),
        (("iam-ondb", "no"), ["expected the folder of IAM-OnDB"]),
    ],
)
def test_mistakes_are_one_sentence(ondb, gatewise, argv, parts):
    outcome = gatewise("corpus", *argv, "--out", "lines")
    assert (outcome.code, outcome.out) == (2, "")
    for part in parts:
        assert part in outcome.err
    assert outcome.err.count("\n") == 1


def test_lists_without_lines(ondb, gatewise):
    for name in ("trainset", "testset_v", "testset_t", "testset_f"):
        (ondb / f"{name}.txt").touch()
    outcome = gatewise("corpus", "iam-ondb", "ondb", "--out", "lines")
    assert outcome.code == 2
    assert "no part has a line" in outcome.err


def test_timit_with_both_sets_of_phones_goes_on_into_training(here, gatewise, tmp_path):
    make_timit(here / "timit")
    outcome = gatewise("corpus", "timit", "timit", "--out", "tables", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert {part: table["utterances"] for part, table in found.items()} == {"train": 4, "validation": 2, "test": 2}
    with (tmp_path / "tables" / "test.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["path"] == "../timit/TEST/DR1/MDAB0/SI648.WAV"
    assert (row["phones"], row["folded"], row["speaker"]) == ("h# q oy l h#", "sil oy l sil", "MDAB0")
    options = ("--text", "folded", "--unit", "tokens", "--hidden-size", "4", "--max-epochs", "1", "--validation", "0")
    outcome = gatewise("train", "transcribe", "tables/train.csv", "--test", "tables/test.csv", *options, "--out", "m")
    assert outcome.code == 0, outcome.err
    assert "per" in json.loads((tmp_path / "m" / "metrics.json").read_text())["held_out"]


def test_common_voice_has_sentences(here, gatewise, tmp_path):
    make_common_voice(here / "en")
    outcome = gatewise("corpus", "common-voice", "en", "--out", "tables")
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "tables/train.csv       2 utterances")
    lines = (tmp_path / "tables" / "validation.csv").read_text().splitlines()
    assert lines == ["path,text,speaker", "../en/clips/three.mp3,Maybe.,eve"]
    refused = gatewise("corpus", "timit", "en", "--out", "others")
    assert refused.code == 2
    assert "has no folder TRAIN and no folder TEST" in refused.err
