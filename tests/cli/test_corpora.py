import csv
import json

import pytest

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
