"""`gatewise corpus`: the folder of a corpus, as its owners give it out, as a table for each part."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from gatewise.cli.output import print_facts, print_json
from gatewise.data.corpora import WrittenLine, read_iam, read_iam_ondb, write_line_manifest
from gatewise.data.speech import Utterance, fold, read_common_voice, read_timit, write_manifest
from gatewise.errors import ConfigurationError, nearest

Row = TypeVar("Row")


def _timit(path: Path, utterances: Sequence[Utterance]) -> None:
    """TIMIT's phones as they are, and as the 39 that results are given in."""
    write_manifest(path, utterances, folded=[fold(utterance.phones) for utterance in utterances])


LINES: dict[str, Callable[[Path], Mapping[str, Sequence[WrittenLine]]]] = {"iam": read_iam, "iam-ondb": read_iam_ondb}
SPEECH: dict[str, Callable[[Path], Mapping[str, Sequence[Utterance]]]] = {
    "timit": read_timit,
    "common-voice": read_common_voice,
}
CORPORA = (*LINES, *SPEECH)


def write_corpus(name: str, root: Path, out: Path, overwrite: bool, as_json: bool) -> None:
    """Write a table for each part that has lines or utterances, and say how many it has.

    Raises:
        ConfigurationError: there is no such corpus, or a table is there and is not to be replaced.
        DataError: the folder is not that of the corpus, or something in it is missing or malformed.
        OSError: a table cannot be written.
    """
    if name in LINES:
        lines = {part: found for part, found in LINES[name](root).items() if found}
        if not lines:
            raise ConfigurationError(f'the lists of the task in "{root}" are empty: no part has a line')
        _write(lines, write_line_manifest, "lines", out, overwrite, as_json)
    elif name in SPEECH:
        _write(SPEECH[name](root), _timit if name == "timit" else write_manifest, "utterances", out, overwrite, as_json)
    else:
        raise ConfigurationError(f'no corpus "{name}": {nearest(name, CORPORA)}')


def _write(
    parts: Mapping[str, Sequence[Row]],
    write: Callable[[Path, Sequence[Row]], None],
    rows: str,
    out: Path,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the tables of all parts; `rows` is what they have, in words."""
    tables = {part: out / f"{part}.csv" for part in parts}
    there = [f'"{table}"' for table in tables.values() if table.exists()]
    if there and not overwrite:
        raise ConfigurationError(f"{', '.join(there)} would be replaced: choose another --out, or add --overwrite")
    out.mkdir(parents=True, exist_ok=True)
    for part, found in parts.items():
        write(tables[part], found)
    if as_json:
        print_json({part: {"table": str(tables[part]), rows: len(found)} for part, found in parts.items()})
    else:
        print_facts({str(tables[part]): f"{len(found):,} {rows}" for part, found in parts.items()})
