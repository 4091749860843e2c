import pytest

from gatewise.data.corpora import read_iam_ondb
from gatewise.data.ink import read_ink
from gatewise.errors import DataError

STROKES = """<?xml version="1.0" encoding="ISO-8859-1"?>
<WhiteboardCaptureSession><WhiteboardDescription/><StrokeSet><Stroke colour="black" start_time="1" end_time="2">
<Point x="%d" y="992" time="1.5"/></Stroke></StrokeSet></WhiteboardCaptureSession>"""
TEXT = "OCR:\n\nB move\n\nCSR:\n\nA MOVE, to stop\n\nMr. Gaitskell \n"
FORMS = {"a01-000u": 2, "a01-000x": 1, "b04-010z": 2}
LISTS = {
    "trainset.txt": " a01-000u\n",
    "testset_v.txt": "a01-000x\n",
    "testset_t.txt": "\n",
    "testset_f.txt": "b04-010z\n",
}


@pytest.fixture
def root(tmp_path):
    for form, count in FORMS.items():
        add(tmp_path, form, count)
    return tmp_path


def add(root, form, count, text: str | None = TEXT):
    strokes = root / "lineStrokes" / form[:3] / form[:7]
    ascii = root / "ascii" / form[:3] / form[:7]
    strokes.mkdir(parents=True, exist_ok=True)
    ascii.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        (strokes / f"{form}-{number:02}.xml").write_text(STROKES % number)
    if text is not None:
        (ascii / f"{form}.txt").write_text(text)


def write_lists(folder, **changes):
    folder.mkdir(exist_ok=True)
    for name, text in LISTS.items():
        (folder / name).write_text(changes.get(name.removesuffix(".txt"), text))


def test_lines_with_the_text_of_their_number(root):
    lines = read_iam_ondb(root)["all"]
    assert [(line.name, line.text) for line in lines] == [
        ("a01-000u-01", "A MOVE, to stop"),
        ("a01-000u-02", "Mr. Gaitskell"),
        ("a01-000x-01", "A MOVE, to stop"),
        ("b04-010z-01", "A MOVE, to stop"),
        ("b04-010z-02", "Mr. Gaitskell"),
    ]
    assert read_ink(lines[1].path).points.tolist() == [[2, 992, 1.5]]


def test_parts_of_the_task(root):
    write_lists(root / "task1")
    parts = read_iam_ondb(root)
    assert {part: len(lines) for part, lines in parts.items()} == {
        "train": 2,
        "validation": 1,
        "validation2": 0,
        "test": 2,
    }
    assert {line.form for line in parts["test"]} == {"b04-010z"}


def test_what_the_corpus_has_no_text_for_is_left_out(root):
    add(root, "z01-000z", 2, None)
    add(root, "a08-551z", 9, "CSR:\n" + "\n".join(f"line {i}" for i in range(1, 8)))
    names = [line.name for line in read_iam_ondb(root)["all"]]
    assert len(names) == 5 + 7
    assert names[-3] == "a08-551z-07"


def refusal(root, task=None):
    with pytest.raises(DataError) as caught:
        read_iam_ondb(root, task)
    return str(caught.value)


def test_all_strokes_without_a_text_are_listed(root):
    add(root, "c01-000a", 1, None)
    add(root, "c01-000b", 1, "OCR:\n\nsomething\n")
    add(root, "c01-000c", 3)
    (root / "lineStrokes" / "c01" / "c01-000" / "odd.xml").write_text("")
    message = refusal(root)
    for part in (
        "4 files of strokes cannot be used",
        '"lineStrokes/c01/c01-000/c01-000a-01.xml": no file "ascii/c01/c01-000/c01-000a.txt" with a line "CSR:"',
        '"lineStrokes/c01/c01-000/c01-000b-01.xml": no file',
        '"lineStrokes/c01/c01-000/c01-000c-03.xml": line 3 of 2 lines after "CSR:"',
        '"lineStrokes/c01/c01-000/odd.xml": the name does not end in the number of a line',
    ):
        assert part in message


def test_missing_folders_and_lists(root, tmp_path):
    assert 'no folder "' in refusal(tmp_path / "no")
    write_lists(root, trainset="a01-000u q99-999")
    assert 'trainset.txt: "q99-999" is not in the corpus' in refusal(root)
    (root / "testset_f.txt").unlink()
    assert "has no testset_f.txt" in refusal(root)
    empty = tmp_path / "empty"
    for name in ("ascii", "lineStrokes"):
        (empty / name).mkdir(parents=True)
    assert "has no strokes" in refusal(empty)
