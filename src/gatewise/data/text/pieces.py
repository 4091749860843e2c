"""Pieces of words by byte-pair encoding (Sennrich, Haddow & Birch 2016), which the package tokenizers does."""

import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gatewise.errors import ConfigurationError, DataError

WORD = "▁"  # begins a word, as in SentencePiece


def package() -> Any:
    """The package tokenizers. Raises `ConfigurationError` where it is not installed."""
    try:
        return importlib.import_module("tokenizers")
    except ImportError as error:
        raise ConfigurationError(
            "pieces of words are learnt and encoded by the package tokenizers: pip install 'gatewise[bpe]'"
        ) from error


def marked(text: str) -> list[str]:
    """The words of a text, each with the mark of its beginning.

    Raises:
        DataError: the mark stands in the text.
    """
    if WORD in text:
        raise DataError(f'the text has "{WORD}" (U+2581) in it, which marks beginnings of words: {text[:40]!r}')
    return [WORD + word for word in text.split(" ")]


def unmarked(pieces: Iterable[str]) -> str:
    """The text of pieces."""
    return "".join(pieces).replace(WORD, " ").strip(" ")


def learn_pieces(texts: Iterable[str], size: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Pieces of words that occur often, by joining the pair of pieces that stands together most, again and again.

    Args:
        texts: in their form already.
        size: how many pieces at most; single characters are among them.

    Returns:
        The pieces, characters first, both in a fixed order; and which two were joined, in order.

    Raises:
        DataError: fewer pieces are asked for than there are characters; the mark of words stands in a text.
        ConfigurationError: the extra `bpe` is not installed.
    """
    tokenizers = package()
    words = [word for text in texts for word in marked(text)]
    alphabet = sorted({character for word in words for character in word})
    if size < len(alphabet):
        raise DataError(f"{size} pieces are asked for, but the texts have {len(alphabet)} characters; ask for more")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(words, trainer)
    found = json.loads(tokenizer.to_str())["model"]
    merges = [(left, right) for left, right in found["merges"]]
    # A piece may be joined in two ways; it is one piece.
    pieces = alphabet + list(dict.fromkeys(left + right for left, right in merges))
    return pieces, merges


def encoder(labels: Mapping[str, int], merges: Sequence[tuple[str, ...]]) -> Any:
    """What splits words into pieces with these labels."""
    tokenizers = package()
    return tokenizers.Tokenizer(tokenizers.models.BPE(dict(labels), list(merges)))
