import io
import itertools
import subprocess
import tarfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from benchmarks.data import archives, cursive_lines
from gatewise.data.images import skew_angle, slant_angle

FOUND = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
WORDS = np.array([f"{one}{two}" for one in ("an", "bo", "cu", "di", "et") for two in ("m", "na", "no", "xis")])


@pytest.fixture
def stand_ins(monkeypatch):
    """Twenty words, and fonts that are there on every machine."""
    monkeypatch.setattr(archives, "unpacked", lambda archive, member, folder: FOUND / member)
    monkeypatch.setattr(cursive_lines, "split", lambda: (WORDS[:16], WORDS[16:]))
    names = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSans-Oblique.ttf")
    fonts = tuple(cursive_lines.Font(archives.debian("none", "0", "0" * 64), name) for name in names)
    monkeypatch.setattr(cursive_lines, "FONTS", fonts[:2])
    monkeypatch.setattr(cursive_lines, "UNKNOWN", fonts[2])
    return fonts


@pytest.fixture
def still(monkeypatch):
    for name, value in {
        "SIZES": 12.0,
        "SPACES": 1.0,
        "SHEARS": 0.0,
        "SKEWS": 0.0,
        "SHIFTS": 0.0,
        "WAVES": 0.0,
        "DARKNESS": 1.0,
        "NOISES": 0.0,
    }.items():
        monkeypatch.setattr(cursive_lines, name, (value, value))


def drawn(words=("nuns", "zoom"), font="DejaVuSans.ttf"):
    return cursive_lines.draw(words, FOUND / font, np.random.default_rng(0))


def test_lines_have_known_words_in_known_fonts(stand_ins):
    fonts, counts = set(), set()
    for line in itertools.islice(cursive_lines.training_lines(), 60):
        assert set(line.text.split(" ")) <= set(WORDS[:16])
        assert line.image.shape[0] == 48
        assert line.image.dtype == np.float32
        assert 0 <= line.image.min() < line.image.max() <= 1
        fonts.add(line.font)
        counts.add(len(line.text.split(" ")))
    assert fonts == set(stand_ins[:2])
    assert counts == {2, 3, 4}
    known, unknown = cursive_lines.held_out_lines(20), cursive_lines.held_out_lines(20, unknown_font=True)
    assert all(set(line.text.split(" ")) <= set(WORDS[16:]) for line in known + unknown)
    assert {line.font for line in known} == set(stand_ins[:2])
    assert {line.font for line in unknown} == {stand_ins[2]}


def test_lines_are_the_same_for_the_same_seed(stand_ins):
    def lines(seed):
        return list(itertools.islice(cursive_lines.training_lines(seed), 5))

    for one, other in zip(lines(1), lines(1), strict=True):
        assert one.text == other.text
        np.testing.assert_array_equal(one.image, other.image)
    assert [line.text for line in lines(1)] != [line.text for line in lines(2)]


def test_small_letters_stand_on_the_base_line(still):
    rows = np.flatnonzero((drawn() > 0.5).any(axis=1))
    assert rows[[0, -1]].tolist() == [18, 29]  # 12 rows that end above row 30
    places = np.flatnonzero((drawn() > 0.1).any(axis=0))
    assert places[0] == 4
    assert drawn().shape[1] - places[-1] == 5


def test_spaces_are_as_wide_as_asked(still, monkeypatch):
    close, gap = drawn(), 3
    monkeypatch.setattr(cursive_lines, "SPACES", (1.0 + gap, 1.0 + gap))
    assert drawn().shape[1] - close.shape[1] == pytest.approx(gap * 12, abs=1)


def test_letters_lean_and_lines_climb_as_asked(still, monkeypatch):
    assert slant_angle(drawn(("hill", "till"))) == 0
    monkeypatch.setattr(cursive_lines, "SHEARS", (0.15, 0.15))
    assert slant_angle(drawn(("hill", "till"))) == pytest.approx(np.degrees(np.arctan(0.15)), abs=3)
    monkeypatch.setattr(cursive_lines, "SHEARS", (0.0, 0.0))
    monkeypatch.setattr(cursive_lines, "SKEWS", (0.03, 0.03))
    long = ("moons", "noun", "sun", "zoom")
    assert skew_angle(drawn(long)) == pytest.approx(np.degrees(np.arctan(0.03)), abs=0.5)
    middle = drawn(long).shape[1] // 2
    assert np.flatnonzero((drawn(long)[:, middle - 20 : middle + 20] > 0.5).any(axis=1))[-1] in (28, 29, 30)


def test_ink_may_be_faint_and_paper_rough(still, monkeypatch):
    monkeypatch.setattr(cursive_lines, "DARKNESS", (0.6, 0.6))
    assert drawn().max() == pytest.approx(0.6, abs=0.003)
    monkeypatch.setattr(cursive_lines, "NOISES", (0.04, 0.04))
    paper = drawn()[:8]
    # half of the noise is below 0 and cut off
    assert (paper > 0).mean() == pytest.approx(0.5, abs=0.06)
    assert np.sqrt((paper**2).mean() * 2) == pytest.approx(0.04, abs=0.005)


def test_the_base_line_waves(still, monkeypatch):
    def lowest_row():
        return np.flatnonzero((drawn(("moons", "noun", "sun")) > 0.5).any(axis=1))[-1]

    level = lowest_row()
    monkeypatch.setattr(cursive_lines, "WAVES", (3.0, 3.0))
    assert level + 2 <= lowest_row() <= level + 3


def test_one_file_of_a_package_of_debian_is_unpacked(tmp_path, monkeypatch):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as files:
        file = tarfile.TarInfo("./usr/share/a.ttf")
        file.size = 3
        files.addfile(file, io.BytesIO(b"abc"))
    archive = archives.Archive("a 1", "5" * 64, ".deb", ())
    monkeypatch.setattr(archives, "fetched", lambda archive, folder: folder / "a.deb")
    calls = []

    def run(command, **options):
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, content.getvalue())

    monkeypatch.setattr(subprocess, "run", run)
    for _ in range(2):
        path = archives.unpacked(archive, "usr/share/a.ttf", tmp_path)
        assert path == tmp_path / archive.sha256 / "a.ttf"
        assert path.read_bytes() == b"abc"
    assert calls == [("dpkg-deb", "--fsys-tarfile", tmp_path / "a.deb")]


def test_a_command_asks_for_one_version():
    assert archives.debian("fonts-x", "1:2-3", "0").command[-1] == "fonts-x=1:2-3"
    assert archives.npm("x", "1.2", "0").command[-1] == "x@1.2"
