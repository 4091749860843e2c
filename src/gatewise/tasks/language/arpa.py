"""The ARPA format of n-gram models, plain or compressed with gzip."""

import gzip
import math
import os
import re
import zlib
from array import array
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from gatewise.errors import DataError
from gatewise.tasks.language.ngram import Grams, NGram

# A line is an n-gram: what is longer is no text that was meant for this.
LONGEST_LINE = 1 << 16
MOST_ORDERS = 32
_COUNT = re.compile(rb"ngram\s+(\d{1,9})\s*=\s*(\d{1,18})")
_SECTION = re.compile(rb"\\(\d{1,9})-grams:")


def read_arpa(path: str | os.PathLike[str]) -> NGram:
    r"""Read an n-gram model in the ARPA format, as SRILM and KenLM write it.

    A file has a header `\data\` with a line `ngram ORDER=COUNT` an order, then a section `\ORDER-grams:` each with a
    line `LOG10_PROBABILITY WORD ... [LOG10_BACKOFF]` an n-gram, then `\end\`. What stands before the header is not
    looked at. The file is UTF-8, or that compressed with gzip, whatever its name.

    Args:
        path: the file.

    Raises:
        DataError: the file cannot be read, or is not what it should be; the message names the line.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".arpa") as file:
    ...     lines = ["\\data\\", "ngram 1=3", "\\1-grams:", "-1 <s>", "-0.5 </s>", "-0.3 a", "\\end\\"]
    ...     _ = file.write("\n".join(lines))
    ...     file.flush()
    ...     model = read_arpa(file.name)
    >>> model.vocabulary, round(model.log_prob(["a"]), 3)
    (('<s>', '</s>', 'a'), -1.842)
    """
    source = os.fspath(path)
    try:
        with open(source, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if compressed:
                with gzip.open(file) as unpacked:
                    return _Reader(unpacked, source).read()  # type: ignore[arg-type]
            return _Reader(file, source).read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{source}: the compressed file is damaged or cut off ({error}); copy it again") from error
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror or error})") from error


class _Reader:
    """One pass over a file's lines, which are counted for messages."""

    def __init__(self, file: BinaryIO, source: str) -> None:
        self.file = file
        self.source = source
        self.line = 0
        self.numbers: dict[bytes, int] = {}

    def fail(self, what: str) -> DataError:
        return DataError(f"{self.source}:{self.line}: {what}")

    def lines(self) -> Iterator[bytes]:
        """Lines without surrounding white space, empty ones left out."""
        while line := self.file.readline(LONGEST_LINE):
            self.line += 1
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                raise self.fail(f"expected a line of text, got one of more than {LONGEST_LINE} bytes")
            if stripped := line.strip():
                yield stripped

    def read(self) -> NGram:
        lines = self.lines()
        counts, line = self.header(lines)
        grams: list[Grams] = []
        for order, count in enumerate(counts, 1):
            if line is None or line != f"\\{order}-grams:".encode():
                raise self.fail(f"expected the section \\{order}-grams:, got {_shown(line)}")
            here, line = self.section(lines, order, count)
            grams.append(here)
        if line != b"\\end\\":
            raise self.fail(f"expected \\end\\ after the {len(counts)}-grams, got {_shown(line)}")
        return NGram([word.decode() for word in self.numbers], grams, source=self.source)

    def header(self, lines: Iterator[bytes]) -> tuple[list[int], bytes | None]:
        for line in lines:
            if line == b"\\data\\":
                break
        else:
            raise DataError(f"{self.source}: expected a header \\data\\, found none: this is no ARPA file")
        counts: list[int] = []
        for line in lines:
            match = _COUNT.fullmatch(line)
            if match is None:
                if not counts or not line.startswith(b"\\"):
                    raise self.fail(f"expected a line such as ngram 1=100, got {_shown(line)}")
                return counts, line
            if int(match[1]) != len(counts) + 1 or len(counts) == MOST_ORDERS:
                raise self.fail(f"expected the count of {len(counts) + 1}-grams, got {_shown(line)}")
            counts.append(int(match[2]))
        raise self.fail("the file ends in its header; it was cut off")

    def section(self, lines: Iterator[bytes], order: int, count: int) -> tuple[Grams, bytes | None]:
        words, places = array("i"), array("q")
        log_probs, backoffs = array("d"), array("d")
        after: bytes | None = None
        for line in lines:
            if line.startswith(b"\\") and (line == b"\\end\\" or _SECTION.fullmatch(line)):
                after = line
                break
            fields = line.split()
            if len(fields) not in (order + 1, order + 2):
                raise self.fail(
                    f"expected a logarithm, {order} word{'s' * (order > 1)} and perhaps another logarithm, "
                    f"got {len(fields)} fields: {_shown(line)}"
                )
            log_prob = self.logarithm(fields[0])
            if log_prob > 0:
                raise self.fail(f"expected the logarithm of a probability, at most 0, got {_shown(fields[0])}")
            words.extend(self.numbered(fields[1 : order + 1], order))
            log_probs.append(log_prob)
            backoffs.append(self.logarithm(fields[-1]) if len(fields) == order + 2 else 0.0)
            places.append(self.line)
            if len(places) > count:
                raise self.fail(f"expected {count} {order}-grams, as the header says, got more")
        if after is None:
            raise self.fail(f"the file ends among its {order}-grams; it was cut off")
        if len(places) != count:
            raise self.fail(f"expected {count} {order}-grams before this line, as the header says, got {len(places)}")
        return (
            Grams(
                np.array(words, np.int32).reshape(-1, order),
                (np.array(log_probs) * math.log(10)).astype(np.float32),
                (np.array(backoffs) * math.log(10)).astype(np.float32),
                np.array(places, np.int64),
            ),
            after,
        )

    def logarithm(self, field: bytes) -> float:
        try:
            value = float(field)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or b"_" in field:
            raise self.fail(f"expected a logarithm to base 10, got {_shown(field)}")
        return value

    def numbered(self, words: list[bytes], order: int) -> list[int]:
        """The numbers of words; unigrams are what gives them one."""
        found = []
        for word in words:
            number = self.numbers.get(word)
            if number is None:
                if order > 1:
                    raise self.fail(f"{_shown(word)} is no word of the 1-grams")
                try:
                    word.decode()
                except UnicodeDecodeError as error:
                    raise self.fail(f"expected text in UTF-8, got {_shown(word)}") from error
                number = self.numbers[word] = len(self.numbers)
            found.append(number)
        return found


def _shown(line: bytes | None) -> str:
    if line is None:
        return "the end of the file"
    text = line.decode(errors="backslashreplace")
    return f'"{text if len(text) <= 60 else text[:57] + "..."}"'
