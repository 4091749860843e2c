import csv

import numpy as np
import pytest

from gatewise.data.corpora import WrittenLine, read_iam, write_line_manifest
from gatewise.data.images import read_line
from gatewise.data.images.pillow import pillow
from gatewise.errors import DataError

LINES = """#--- lines.txt ---#
#
a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop|Mr.|Gaitskell|from
a01-000u-01 err 154 19 395 932 1850 105 nominating|,|any more

b02-109-00 ok 160 10 1 2 3 4 "|No|"
c03-000a-00 ok 1 1 1 1 1 1 end
"""
FORMS = "# forms\na01-000u 000 2 prt 7 5 52 36\nb02-109 017 2 prt 7 5 52 36\n"
NAMES = ("a01-000u-00", "a01-000u-01", "b02-109-00", "c03-000a-00")
LISTS = {
    "trainset.txt": "a01-000u-00\n",
    "validationset1.txt": "a01-000u-01\n",
    "validationset2.txt": "",
    "testset.txt": "b02-109",
}


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "iam"
    for name in NAMES:
        form = name[: name.rindex("-")]
        folder = root / "lines" / form[:3] / form
        folder.mkdir(parents=True, exist_ok=True)
        pillow().fromarray(np.full((8, 10), 255, np.uint8)).save(folder / f"{name}.png")
    (root / "lines.txt").write_text(LINES)
    return root


def write_lists(folder, **changes):
    folder.mkdir(exist_ok=True)
    for name, text in LISTS.items():
        (folder / name).write_text(changes.get(name.removesuffix(".txt"), text))


def test_lines_with_their_text_and_writer(root):
    (root / "forms.txt").write_text(FORMS)
    parts = read_iam(root)
    assert list(parts) == ["all"]
    lines = parts["all"]
    assert [line.name for line in lines] == list(NAMES)
    assert [line.text for line in lines] == [
        "A MOVE to stop Mr. Gaitskell from",
        "nominating , any more",
        '" No "',
        "end",
    ]
    assert [line.writer for line in lines] == ["000", "000", "017", None]
    assert lines[2].form == "b02-109"
    assert read_line(lines[2].path).shape == (8, 10)


@pytest.mark.parametrize("place", [".", "largeWriterIndependentTextLineRecognitionTask"])
def test_parts_of_a_task_by_lines_or_forms(root, place):
    write_lists(root / place)
    parts = read_iam(root)
    assert {part: [line.name for line in lines] for part, lines in parts.items()} == {
        "train": ["a01-000u-00"],
        "validation": ["a01-000u-01"],
        "validation2": [],
        "test": ["b02-109-00"],
    }


def test_tables_may_stand_in_ascii_and_tasks_elsewhere(root, tmp_path):
    (root / "ascii").mkdir()
    (root / "lines.txt").rename(root / "ascii" / "lines.txt")
    (root / "ascii" / "forms.txt").write_text(FORMS)
    write_lists(tmp_path / "mine", testset="b02-109 c03-000a")
    parts = read_iam(root, tmp_path / "mine")
    assert [line.writer for line in parts["test"]] == ["017", None]


def test_a_manifest_has_paths_relative_to_itself(root, tmp_path):
    lines = read_iam(root)["all"]
    write_line_manifest(tmp_path / "all.csv", lines)
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[2] == {"path": "iam/lines/b02/b02-109/b02-109-00.png", "text": '" No "', "name": NAMES[2], "writer": ""}
    assert all((tmp_path / row["path"]).is_file() for row in rows)
    with pytest.raises(DataError, match="at least one line"):
        write_line_manifest(tmp_path / "none.csv", [])


def refusal(root, task=None):
    with pytest.raises(DataError) as caught:
        read_iam(root, task)
    return str(caught.value)


def test_all_rows_that_cannot_be_used_are_listed(root):
    (root / "lines" / "b02" / "b02-109" / "b02-109-00.png").unlink()
    (root / "lines.txt").write_text(LINES + "a01-000u-02 ok 1 1 1 1 1 1\nname\n")
    message = refusal(root)
    for part in (
        "3 rows cannot be used",
        'row 6: no file "lines/b02/b02-109/b02-109-00.png"',
        "row 8: expected a name, 7 fields and a transcription",
        'row 9: expected a name, 7 fields and a transcription, got "name"',
    ):
        assert part in message


def test_long_lists_of_faults_are_counted(root):
    (root / "lines.txt").write_text("x\n" * 50)
    assert "50 rows cannot be used" in refusal(root)
    assert "; and 30 more" in refusal(root)


def test_missing_files(root, tmp_path):
    assert f'no folder "{tmp_path / "lines"}"' in refusal(tmp_path)
    (root / "forms.txt").write_text("a01-000u\n")
    assert "forms.txt" in refusal(root)
    assert "row 1: expected a form and its writer" in refusal(root)
    (root / "lines.txt").write_text("# nothing\n")
    (root / "forms.txt").unlink()
    assert "has no rows" in refusal(root)
    (root / "lines.txt").unlink()
    assert 'neither "' in refusal(root)


def test_lists_that_cannot_be_used(root, tmp_path):
    write_lists(root, testset="b02-109 z99", validationset2="a01-000u-00")
    message = refusal(root)
    assert 'testset.txt: "z99" is not in the corpus' in message
    assert 'validationset2.txt: "a01-000u-00" is in the part train already' in message
    write_lists(root / "task")
    assert "choose one by task=" in refusal(root)
    (root / "task" / "testset.txt").unlink()
    assert "has no testset.txt" in refusal(root, root / "task")
    (root / "task" / "testset.txt").write_bytes(b"\xff")
    assert "not UTF-8" in refusal(root, root / "task")


def test_a_line_knows_its_form(tmp_path):
    assert WrittenLine(tmp_path, "a", "a01-000u-12").form == "a01-000u"
