"""Manifests and folders of recordings: what they tell of, and what is wrong with them."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from gatewise.data import read_transcripts
from gatewise.errors import DataError

SUFFIXES = (".png", ".wav")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("one", "007"), ("deep/two", " Café \n")):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
    (tmp_path / "notes.md").write_text("not a recording")
    return tmp_path


def manifest(folder: Path, text: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_is_read_at_any_depth(folder: Path) -> None:
    found = read_transcripts(folder, SUFFIXES)
    assert found.sources == (folder / "deep/two.png", folder / "one.png")
    assert found.texts == ("Café", "007")
    assert read_transcripts(folder, SUFFIXES, text=False).texts is None


def test_one_file_has_its_text_beside_it(folder: Path) -> None:
    assert read_transcripts(folder / "one.png", SUFFIXES).texts == ("007",)


def test_a_manifest_names_files_from_where_it_is(folder: Path) -> None:
    for path in (
        manifest(folder, "path,text\none.png,007\ndeep/two.png,12\n"),
        folder / "manifest.parquet",
    ):
        if path.suffix == ".parquet":
            table = pa.table({"text": ["007", "12"], "path": ["one.png", "deep/two.png"], "who": [1, 2]})
            pyarrow.parquet.write_table(table, path)
        found = read_transcripts(path, SUFFIXES)
        assert found.sources == (folder / "one.png", folder / "deep/two.png")
        assert found.texts == ("007", "12")
        assert len(found) == 2


def test_texts_may_be_in_another_column(folder: Path) -> None:
    path = manifest(folder, "path,text,phones\none.png,hay,HH AY\n")
    assert read_transcripts(path, SUFFIXES, column="phones").texts == ("HH AY",)
    with pytest.raises(DataError, match='has no column "phone": did you mean "phones"'):
        read_transcripts(path, SUFFIXES, column="phone")


def test_strokes_stand_in_the_manifest(folder: Path) -> None:
    found = read_transcripts(manifest(folder, 'strokes,text\n"[[[0,0],[1,1]]]",a\n'), SUFFIXES)
    assert (found.sources, found.texts, found.names) == (("[[[0,0],[1,1]]]",), ("a",), ("row 1",))


def test_texts_may_be_missing_where_they_are_not_needed(folder: Path) -> None:
    path = manifest(folder, "path\none.png\n")
    assert read_transcripts(path, SUFFIXES, text=None).texts is None
    with pytest.raises(DataError, match='has no column "text"'):
        read_transcripts(path, SUFFIXES)
    (folder / "one.txt").unlink()
    assert read_transcripts(folder, SUFFIXES, text=None).texts is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path,text\ngone.png,a\none.png,b\nlost.png,c\n", '2 of 3 rows of'),
        ("path,text\none.png,a\ndeep/two.png,\n", "has an empty text in 1 rows: 2"),
        ("path,text\none.png,a\n,b\n", "has no path in 1 rows: 2"),
        ("file,text\none.png,a\n", "neither of the columns"),
        ("path,strokes,text\none.png,x,a\n", "both of the columns"),
        ("path,text\n", "no rows"),
    ],
)  # fmt: skip
def test_bad_manifests_are_refused(folder: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        read_transcripts(manifest(folder, content), SUFFIXES)


def test_all_rows_without_a_file_are_listed(folder: Path) -> None:
    rows = "".join(f"{k}.png,a\n" for k in range(30))
    with pytest.raises(DataError) as caught:
        read_transcripts(manifest(folder, "path,text\n" + rows), SUFFIXES)
    assert f'row 1 "{folder / "0.png"}"' in str(caught.value)
    assert f'row 20 "{folder / "19.png"}"' in str(caught.value)
    assert "and 10 more" in str(caught.value)


def test_bad_folders_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read_transcripts(folder / "onw.png", SUFFIXES)
    with pytest.raises(DataError, match="holds no recordings"):
        read_transcripts(folder, (".flac",))
    (folder / "one.txt").write_text("  \n")
    with pytest.raises(DataError, match="1 of 2 texts are empty"):
        read_transcripts(folder, SUFFIXES)
    (folder / "one.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_transcripts(folder, SUFFIXES)
    (folder / "one.txt").unlink()
    with pytest.raises(DataError, match=r"1 of 2 recordings .* have no text"):
        read_transcripts(folder, SUFFIXES)
