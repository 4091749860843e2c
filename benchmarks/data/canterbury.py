"""Two texts of the Canterbury corpus, in which compressors are compared: `alice29.txt` and `lcet10.txt`.

They come with the sources of brotli. Line ends become one character, and the end-of-file character of MS-DOS behind the
first text goes: 148,481 and 419,235 characters.
"""

import tarfile

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


def split(texts: dict[str, str], share: float = 0.9) -> tuple[list[str], list[str]]:
    """Of each text the first part to train on, and the rest to test on."""
    ends = [round(share * len(text)) for text in texts.values()]
    pairs = list(zip(texts.values(), ends, strict=True))
    return [text[:end] for text, end in pairs], [text[end:] for text, end in pairs]
