"""N-gram models: read from files, arranged in a tree, by the definition of back-off."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from tests.tasks.arpa_files import Table, draw_table

from gatewise.errors import DataError
from gatewise.tasks.language import LabelNGram, NGram, read_arpa

WORDS = ["a", "b", "c", "ä", "\u3000"]  # the last is a space to Unicode, and a word to the format


def walk(model: NGram, words: list[str]) -> list[float]:
    """What each word of a sentence brings."""
    state, found = model.begin, []
    for word in words:
        number = model.number(word)
        assert number is not None
        gained, state = model.score(state, number)
        found.append(gained)
    return found


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_those_of_the_definition(order: int, tmp_path: Path) -> None:
    for seed in range(6):
        table = draw_table(seed, WORDS, order)
        model = read_arpa(table.write(tmp_path / "m.arpa"))
        assert model.order == table.order
        rng = np.random.default_rng(seed)
        for _ in range(40):
            sentence = [*rng.choice([*WORDS, "<unk>"], size=6), "</s>"]
            want = [table.log_prob(["<s>", *sentence[:k]], word) for k, word in enumerate(sentence)]
            assert walk(model, sentence) == pytest.approx(want, abs=1e-5)
            assert model.log_prob(sentence[:-1]) == pytest.approx(sum(want), abs=1e-5)
            alone = [table.log_prob(sentence[:k], word) for k, word in enumerate(sentence[:-1])]
            assert model.log_prob(sentence[:-1], begin=False, end=False) == pytest.approx(sum(alone), abs=1e-5)


def test_words_that_the_model_does_not_have(tmp_path: Path) -> None:
    model = read_arpa(draw_table(0, WORDS, 2).write(tmp_path / "m.arpa"))
    assert model.unknown == model.number("<unk>") == model.number("never seen")
    assert model.log_prob(["never", "a"]) == model.log_prob(["<unk>", "a"])
    without = read_arpa(draw_table(0, WORDS, 2, unknown=False).write(tmp_path / "m.arpa"))
    assert without.unknown is None
    with pytest.raises(DataError, match='the n-gram model has neither "never" nor <unk>'):
        without.log_prob(["a", "never"])


def test_states_remember_no_more_than_matters(tmp_path: Path) -> None:
    table = Table(
        {("<s>",): (-9, 0), ("</s>",): (-1, 0), ("a",): (-1, -0.5), ("b",): (-1, 0), ("a", "b"): (-0.2, 0)}, 2
    )
    model = read_arpa(table.write(tmp_path / "m.arpa"))
    a, b = model.number("a"), model.number("b")
    assert a is not None
    assert b is not None
    assert model.begin == 0
    assert model.score(0, b)[1] == 0
    assert model.score(0, a)[1] != 0
    assert model.score(model.score(0, a)[1], b) == (pytest.approx(-0.2 * math.log(10)), 0)


def test_a_compressed_file_is_the_same_model(tmp_path: Path) -> None:
    table = draw_table(1, WORDS, 3)
    plain = read_arpa(table.write(tmp_path / "m.arpa"))
    (tmp_path / "m.gz").write_bytes(gzip.compress(table.text().encode()))
    packed = read_arpa(tmp_path / "m.gz")
    for name in ("first", "words", "log_probs", "backoffs", "suffixes", "states"):
        assert np.array_equal(getattr(plain, name), getattr(packed, name)), name
    assert plain.vocabulary == packed.vocabulary


GOOD = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.0\t<s>\t-0.3
-1.0\t</s>
-0.5\ta\t-0.2
-0.7\tb

\\2-grams:
-0.1\t<s> a
-0.2\ta b

\\end\\
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, "", r"m.arpa: expected a header \\data\\, found none: this is no ARPA file"),
        (GOOD, "hello\nworld\n", "found none: this is no ARPA file"),
        ("ngram 1=4\n", "", r'm.arpa:2: expected the count of 1-grams, got "ngram 2=2"'),
        ("ngram 1=4\nngram 2=2\n", "", r'm.arpa:3: expected a line such as ngram 1=100, got "\\1-grams:"'),
        ("ngram 2=2", "ngram 2=two", 'm.arpa:3: expected a line such as ngram 1=100, got "ngram 2=two"'),
        ("ngram 2=2", "ngram 2=3", r"m.arpa:15: expected 3 2-grams before this line, as the header says, got 2"),
        ("ngram 2=2", "ngram 2=1", r"m.arpa:13: expected 1 2-grams, as the header says, got more"),
        ("\\1-grams:", "\\2-grams:", r'm.arpa:5: expected the section \\1-grams:, got "\\2-grams:"'),
        ("\\2-grams:", "\\3-grams:", r'm.arpa:11: expected the section \\2-grams:, got "\\3-grams:"'),
        ("\\2-grams:\n-0.1\t<s> a\n-0.2\ta b\n", "", r'm.arpa:12: expected the section \\2-grams:, got "\\end\\"'),
        ("\\end\\\n", "", r"m.arpa:14: the file ends among its 2-grams; it was cut off"),
        ("\\end\\", "\\3-grams:", r'm.arpa:15: expected \\end\\ after the 2-grams, got "\\3-grams:"'),
        (
            "-0.2\ta b",
            "-0.2\ta",
            "m.arpa:13: expected a logarithm, 2 words and perhaps another logarithm, got 2 fields",
        ),
        ("-0.7\tb", "-0.7", "m.arpa:9: expected a logarithm, 1 word and perhaps another logarithm, got 1 fields"),
        ("-0.7\tb", "-0.7\tb c d e", "got 5 fields"),
        ("-0.7\tb", "zero\tb", 'm.arpa:9: expected a logarithm to base 10, got "zero"'),
        ("-0.7\tb", "nan\tb", 'm.arpa:9: expected a logarithm to base 10, got "nan"'),
        ("-0.7\tb", "-inf\tb", 'expected a logarithm to base 10, got "-inf"'),
        ("-0.7\tb", "-1_0\tb", 'expected a logarithm to base 10, got "-1_0"'),
        ("-0.7\tb", "0.7\tb", 'm.arpa:9: expected the logarithm of a probability, at most 0, got "0.7"'),
        ("a\t-0.2", "a\tx", 'm.arpa:8: expected a logarithm to base 10, got "x"'),
        ("-0.2\ta b", "-0.2\ta d", 'm.arpa:13: "d" is no word of the 1-grams'),
        ("-0.2\ta b", "-0.1\t<s> a", r'm.arpa:13: the 2-gram "<s> a" was there before, in line 12'),
        ("-0.7\tb", "-0.7\ta", 'm.arpa:13: "b" is no word of the 1-grams'),
        ("-0.7\tb", "-0.7\t" + 70_000 * "b", "m.arpa:9: expected a line of text, got one of more than 65536 bytes"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = tmp_path / "m.arpa"
    path.write_text(GOOD, encoding="utf-8")
    assert read_arpa(path).order == 2
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_arpa(path)


def test_a_header_without_an_end_or_an_ngram_without_its_context_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.arpa"
    path.write_text("\\data\\\nngram 1=4\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"m.arpa:2: the file ends in its header; it was cut off"):
        read_arpa(path)
    grams = draw_table(0, ["a", "b"], 2).grams
    without = {gram: v for gram, v in grams.items() if len(gram) == 1} | {
        ("a", "b", "a"): (-1.0, 0.0),
        ("b", "b"): (-1, 0),
    }
    Table(without, 3).write(path)
    with pytest.raises(DataError, match=r'the 3-gram "a b a" has no context: there is no 2-gram "a b"'):
        read_arpa(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_arpa(tmp_path / "nowhere.arpa")
    with pytest.raises(DataError, match="cannot be read"):
        read_arpa(tmp_path)
    packed = gzip.compress(GOOD.encode())
    for name, content in (("short", packed[:-12]), ("damaged", packed[:20] + b"????????" + packed[28:])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="the compressed file is damaged or cut off"):
            read_arpa(tmp_path / name)
    (tmp_path / "latin1").write_bytes(GOOD.replace("\tb", "\t\xe4").encode("latin-1"))
    with pytest.raises(DataError, match=r'latin1:9: expected text in UTF-8, got "\\xe4"'):
        read_arpa(tmp_path / "latin1")


def test_labels_as_words_of_a_model(tmp_path: Path) -> None:
    table = draw_table(3, ["a", "b"], 3)
    model = LabelNGram(read_arpa(table.write(tmp_path / "m.arpa")), ["a", "", "b", "?"], blank=1)
    state, row = model.begin()
    want = [table.log_prob(["<s>"], word) for word in ("a", "</s>", "b", "<unk>")]
    assert row == pytest.approx(want, abs=1e-5)
    states, rows = model.advance([state, state], [2, 3])
    for got, word in zip(rows, ("b", "<unk>"), strict=True):
        want = [table.log_prob(["<s>", word], next) for next in ("a", "</s>", "b", "<unk>")]
        assert got == pytest.approx(want, abs=1e-5)
    states, rows = model.advance(states, [0, 0])
    want = [table.log_prob(["<s>", "b", "a"], next) for next in ("a", "</s>", "b", "<unk>")]
    assert rows[0] == pytest.approx(want, abs=1e-5)
    bare = read_arpa(draw_table(3, ["a"], 2, unknown=False).write(tmp_path / "m.arpa"))
    with pytest.raises(DataError, match="the n-gram model has no 'b', ' ', and no <unk> either"):
        LabelNGram(bare, ["-", "a", "b", " "])
    with pytest.raises(DataError, match="blank is 2, expected the number of one of 2 symbols"):
        LabelNGram(bare, ["-", "a"], blank=2)
