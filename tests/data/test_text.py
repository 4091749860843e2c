"""Texts become labels and labels texts again; what has none is told by row."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.data.text import FORMS, TextForm, Vocabulary
from gatewise.errors import ConfigurationError, DataError

TEXTS = ["to be or not to be", "that is the question", "whether 'tis nobler in the mind"]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (TextForm(), "Cafe\u0301", "Caf\u00e9"),
        (TextForm("NFD"), "Caf\u00e9", "Cafe\u0301"),
        (TextForm(), "ﬁne", "ﬁne"),
        (TextForm("NFKC"), "ﬁne ¨", "fine \u0308"),
        (TextForm(), " a\u00a0\t b\r\nc ", "a b c"),
        (TextForm(lowercase=True), "ÄRGER İ", "ärger i̇"),
        (TextForm(), "", ""),
    ],
)
def test_text_has_one_form(form, text, expected):
    assert form(text) == expected


@settings(derandomize=True, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff")), st.sampled_from(FORMS))
def test_a_form_is_its_own_form(text, unicode):
    for lowercase in (False, True):
        form = TextForm(unicode, lowercase)
        assert form(form(text)) == form(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\x00b", r"\(U\+0000\).*right encoding"),
        ("\ufeffa", r"\(U\+FEFF ZERO WIDTH NO-BREAK SPACE\)"),
        ("a\ud800", r"U\+D800"),
        (3, "expected text, got int 3"),
    ],
)
def test_what_nobody_writes_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        TextForm()(text)


def test_characters_in_the_order_of_code_points_behind_the_blank():
    vocabulary = Vocabulary.fit(TEXTS)
    assert vocabulary.symbols[0] == ""
    assert list(vocabulary.symbols[1:]) == sorted(set("".join(TEXTS)))
    assert vocabulary.separator == vocabulary.symbols.index(" ")
    assert len(vocabulary) == len(vocabulary.symbols)
    assert Vocabulary.fit(TEXTS[::-1]) == vocabulary


@pytest.mark.parametrize(("unit", "size"), [("characters", None), ("tokens", None), ("pieces", 60)])
def test_labels_are_the_text_again_also_from_a_file(unit, size):
    vocabulary = Vocabulary.fit(TEXTS, unit=unit, size=size)
    read = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
    assert read == vocabulary
    for text, labels in zip(TEXTS, read.encode_all(TEXTS), strict=True):
        assert labels.dtype == np.int64
        assert labels.min() > 0
        assert vocabulary.decode(labels) == text
        np.testing.assert_array_equal(vocabulary.encode(f"  {text}\n"), labels)


def test_phones_are_tokens():
    vocabulary = Vocabulary.fit(["HH AY1", "B  AY1 "], unit="tokens")
    assert vocabulary.symbols == ("", "AY1", "B", "HH")
    assert vocabulary.encode("HH AY1").tolist() == [3, 1]
    assert vocabulary.decode([2, 1]) == "B AY1"
    assert vocabulary.separator is None
    with pytest.raises(DataError, match='not in the vocabulary of 3 tokens: "AH"'):
        vocabulary.encode("B AH")


def test_the_form_is_a_part_of_the_vocabulary():
    vocabulary = Vocabulary.fit(["Cafe\u0301"], form=TextForm(lowercase=True))
    assert vocabulary.symbols == ("", "a", "c", "f", "é")
    assert vocabulary.decode(vocabulary.encode("CAFÉ")) == "café"


def test_characters_outside_are_listed_by_row():
    vocabulary = Vocabulary.fit(TEXTS)
    with pytest.raises(DataError, match=r'of 18 characters: "é" \(U\+00E9 LATIN SMALL LETTER E WITH ACUTE\), "X" '):
        vocabulary.encode("tété Xt")
    with pytest.raises(DataError) as caught:
        vocabulary.encode_all(["to be", "té bé", "not", "4 U"])
    assert "2 of 4 texts have characters" in str(caught.value)
    assert 'row 1: "é" (U+00E9 LATIN SMALL LETTER E WITH ACUTE); row 3: "4" (U+0034 DIGIT FOUR), "U" (' in str(
        caught.value
    )
    with pytest.raises(DataError, match="row 17"):
        vocabulary.encode_all(["é"], rows=[17])
    with pytest.raises(DataError, match=r"row 19.*and 10 more"):
        vocabulary.encode_all(["é"] * 30)


def test_empty_and_unreadable_texts_are_listed_by_row():
    with pytest.raises(DataError, match=r"2 of 3 texts cannot be used: row 1: the text is empty; row 2: .*U\+0007"):
        Vocabulary.fit(["a", " \n", "b\x07"])
    with pytest.raises(DataError, match="1 of 2 texts cannot be used: row 8: the text is empty"):
        Vocabulary.fit(["a"]).encode_all(["a", ""], rows=[7, 8])
    with pytest.raises(DataError, match="the text is empty"):
        Vocabulary.fit(["a"]).encode(" ")
    with pytest.raises(DataError, match="at least one text"):
        Vocabulary.fit([])
    with pytest.raises(DataError, match="put it into a list"):
        Vocabulary.fit("abc")  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="a row for each of 1 texts, got 2"):
        Vocabulary.fit(["a"]).encode_all(["a"], rows=[1, 2])


@pytest.mark.parametrize(("label", "what"), [(0, "the blank"), (-1, "none of 3 labels"), (3, "none of 3 labels")])
def test_labels_that_stand_for_nothing_are_refused(label, what):
    with pytest.raises(DataError, match=f"label {label} is {what}; expected labels from 1 to 2"):
        Vocabulary.fit(["ab"]).decode([1, label])


def test_pieces_are_learnt_the_same_each_time_and_join_what_is_frequent():
    texts = ["the other mother", "the father rather", "the lather"] * 3
    first = Vocabulary.fit(texts, unit="pieces", size=24)
    assert first == Vocabulary.fit(texts, unit="pieces", size=24)
    assert len(first) <= 25
    assert {"ther", "▁the"} <= set(first.symbols)
    assert first.encode("the").tolist() == [first.symbols.index("▁the")]
    assert first.decode(first.encode("hot mate")) == "hot mate"
    with pytest.raises(DataError, match=r'pieces: "x" \(U\+0078'):
        first.encode("the ox")
    with pytest.raises(DataError, match="marks beginnings of words"):
        first.encode("a▁t")


def test_pieces_need_a_size_their_characters_and_their_package(monkeypatch):
    for options in ({"unit": "pieces"}, {"unit": "characters", "size": 5}, {"unit": "pieces", "size": 0}):
        with pytest.raises(ConfigurationError, match='"pieces" take a size'):
            Vocabulary.fit(TEXTS, **options)
    with pytest.raises(DataError, match="3 pieces are asked for, but the texts have 18 characters"):
        Vocabulary.fit(TEXTS, unit="pieces", size=3)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'gatewise\[bpe\]'"):
        Vocabulary.fit(TEXTS, unit="pieces", size=30)


@pytest.mark.parametrize(
    ("symbols", "options", "message"),
    [
        (("a", "b"), {}, "expected the blank"),
        (("",), {}, "expected the blank"),
        (("", "a", "a"), {}, "'a' comes more than once"),
        (("", "ab"), {}, "'ab' is none of characters"),
        (("", "a b"), {"unit": "tokens"}, "'a b' is none of tokens"),
        (("", "a", ""), {"unit": "pieces"}, "'' is none of pieces"),
        (("", 1), {}, "as text, got 1"),
        (("", "a", "b"), {"unit": "pieces", "merges": (("a", "b"),)}, "not among its symbols"),
    ],
)
def test_symbols_are_checked(symbols, options, message):
    with pytest.raises(DataError, match=message):
        Vocabulary(symbols, **options)


def test_options_are_checked():
    with pytest.raises(ConfigurationError, match=r'unknown unit "words": .*tokens'):
        Vocabulary(("", "a"), "words")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="merges make pieces"):
        Vocabulary(("", "a", "b"), merges=(("a", "b"),))
    with pytest.raises(ConfigurationError, match='"NFX": did you mean'):
        TextForm("NFX")
    with pytest.raises(ConfigurationError, match="lowercase must be"):
        TextForm(lowercase=1)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="written with unit, form, symbols, merges; got unit"):
        Vocabulary.from_dict({"unit": "tokens"})
    with pytest.raises(ConfigurationError, match="written with unicode, lowercase; got lower"):
        TextForm.from_dict({"lower": True})
