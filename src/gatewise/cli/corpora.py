"""`gatewise corpus`: the folder of a corpus, as its owners give it out, as a table for each part."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gatewise.cli.output import print_facts, print_json
from gatewise.data.corpora import WrittenLine, read_iam, read_iam_ondb, write_line_manifest
from gatewise.errors import ConfigurationError, nearest

Parts = Mapping[str, Sequence[WrittenLine]]

CORPORA: dict[str, Callable[[Path], Parts]] = {"iam": read_iam, "iam-ondb": read_iam_ondb}


def write_corpus(name: str, root: Path, out: Path, overwrite: bool, as_json: bool) -> None:
    """Write a table for each part that has lines, and say how many it has.

    Raises:
        ConfigurationError: there is no such corpus, or a table is there and is not to be replaced.
        DataError: the folder is not that of the corpus, or something in it is missing or malformed.
        OSError: a table cannot be written.
    """
    if name not in CORPORA:
        raise ConfigurationError(f'no corpus "{name}": {nearest(name, CORPORA)}')
    parts = {part: lines for part, lines in CORPORA[name](root).items() if lines}
    if not parts:
        raise ConfigurationError(f'the lists of the task in "{root}" are empty: no part has a line')
    tables = {part: out / f"{part}.csv" for part in parts}
    there = [f'"{table}"' for table in tables.values() if table.exists()]
    if there and not overwrite:
        raise ConfigurationError(f"{', '.join(there)} would be replaced: choose another --out, or add --overwrite")
    out.mkdir(parents=True, exist_ok=True)
    for part, lines in parts.items():
        write_line_manifest(tables[part], lines)
    if as_json:
        print_json({part: {"table": str(tables[part]), "lines": len(lines)} for part, lines in parts.items()})
    else:
        print_facts({str(tables[part]): f"{len(lines):,} lines" for part, lines in parts.items()})
