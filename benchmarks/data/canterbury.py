"""Two texts of the Canterbury corpus, in which compressors are compared: `alice29.txt` and `lcet10.txt`.

They come with the sources of brotli. Line ends become one character, and the end-of-file character of MS-DOS behind the
first text goes: 148,481 and 419,235 characters.
"""

import tarfile
from itertools import groupby

import numpy as np

from benchmarks.data.archives import cache, fetched, sdist

BROTLI = sdist("brotli", "1.2.1", "02b2f7b5a83485efe448a44ddf7983def05c3bb1dcf917d4f7154070260e13de")
TEXTS = ("alice29.txt", "lcet10.txt")


def canterbury() -> dict[str, str]:
    """The texts by name."""
    found = {}
    with tarfile.open(fetched(BROTLI, cache("sdists"))) as files:
        for name in TEXTS:
            file = files.extractfile(f"brotli-1.2.1/tests/testdata/{name}")
            assert file is not None
            found[name] = file.read().decode("ascii").replace("\r\n", "\n").rstrip("\x1a")
    return found


def split_blocks(texts: dict[str, str], size: int = 5_000) -> tuple[list[str], list[str]]:
    """Of each text a tenth of its blocks to test on, by `default_rng(0)`; and what lies between them to train on."""
    training, test, rng = [], [], np.random.default_rng(0)
    for text in texts.values():
        blocks = [text[start : start + size] for start in range(0, len(text), size)]
        held_out = set(rng.permutation(len(blocks))[: round(len(blocks) / 10)].tolist())
        test += [block for number, block in enumerate(blocks) if number in held_out]
        parts = groupby(enumerate(blocks), key=lambda numbered: numbered[0] in held_out)
        training += ["".join(block for _, block in part) for is_test, part in parts if not is_test]
    return training, test


def split(texts: dict[str, str], share: float = 0.9) -> tuple[list[str], list[str]]:
    """Of each text the first part to train on, and the rest to test on."""
    ends = [round(share * len(text)) for text in texts.values()]
    pairs = list(zip(texts.values(), ends, strict=True))
    return [text[:end] for text, end in pairs], [text[end:] for text, end in pairs]
