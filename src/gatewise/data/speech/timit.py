"""The folders of TIMIT (Garofolo et al. 1993, LDC93S1), whose licence has to be bought.

TRAIN/DR1/FCJF0/SI1027.WAV   recording (NIST SPHERE)
TRAIN/DR1/FCJF0/SI1027.PHN   phones: first sample, sample after the last, phone
TRAIN/DR1/FCJF0/SI1027.TXT   what is said: first sample, last sample, text
"""

import re
from collections.abc import Iterator
from pathlib import Path

from gatewise.data.speech.segments import read_segments
from gatewise.data.speech.utterance import Utterance
from gatewise.errors import DataError

PARTS = ("train", "validation", "test")
# The development set and the core test set of Halberstadt (1998): 50 and 24 speakers out of TEST.
_DEVELOPMENT = """
    FADG0 FAKS0 FCAL1 FCMH0 FDAC1 FDMS0 FDRW0 FEDW0 FGJD0 FJEM0 FJMG0 FJSJ0 FKMS0 FMAH0 FMML0 FNMR0 FREW0 FSEM0 MAJC0
    MBDG0 MBNS0 MBWM0 MCSH0 MDLF0 MDLS0 MDVC0 MERS0 MGJF0 MGLB0 MGWT0 MJAR0 MJFC0 MJSW0 MMDB1 MMDM2 MMJR0 MMWH0 MPDF0
    MRCS0 MREB0 MRJM4 MRJR0 MROA0 MRTK0 MRWS1 MTAA0 MTDT0 MTEB0 MTHC0 MWJG0
"""
_CORE = """
    FDHC0 FELC0 FJLM0 FMGD0 FMLD0 FNLP0 FPAS0 FPKT0 MBPM0 MCMJ0 MDAB0 MGRT0 MJDH0 MJLN0 MJMP0 MKLT0 MLLL0 MLNT0 MNJM0
    MPAM0 MTAS1 MTLS0 MWBT0 MWEW0
"""
VALIDATION = frozenset(_DEVELOPMENT.split())
TEST = frozenset(_CORE.split())


def read_timit(root: str | Path) -> dict[str, tuple[Utterance, ...]]:
    """The utterances of TIMIT's folders in the protocol of phone recognition, in order of their paths.

    "train" has the 462 speakers of TRAIN (3,696 utterances), "validation" 50 of TEST (400) and "test" the 24 of its
    core test set (192); the two sentences that everybody reads (SA1, SA2) are left out. So did Graves, Mohamed & Hinton
    (2013) and Greff et al. (2017, "LSTM: A Search Space Odyssey"). Names may be written in small letters.

    Args:
        root: the folder that has TRAIN and TEST in it.

    Raises:
        DataError: there are no such folders, or nothing in them; recordings or texts that are missing, all of them
            listed; a file that is malformed.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f'no folder "{root}": expected the folder of TIMIT that has TRAIN and TEST in it')
    folders = {entry.name.upper(): entry for entry in sorted(root.iterdir()) if entry.is_dir()}
    missing = [name for name in ("TRAIN", "TEST") if name not in folders]
    if missing:
        raise DataError(
            f'"{root}" has no folder {" and no folder ".join(missing)}; expected the folder of TIMIT that has TRAIN '
            "and TEST in it"
        )
    faults: list[str] = []
    found: dict[str, list[Utterance]] = {part: [] for part in PARTS}
    for folder in ("TRAIN", "TEST"):
        for phones in _phone_files(folders[folder]):
            speaker = phones.parent.name.upper()
            part = "train" if folder == "TRAIN" else _part_of(speaker)
            if part is not None:
                found[part].extend(_utterance(phones, speaker, faults))
    if faults:
        raise DataError(f'"{root}": {len(faults)} files are missing: {", ".join(faults[:20])}')
    for part, utterances in found.items():
        if not utterances:
            raise DataError(f'"{root}" has no utterances for {part}: expected files such as TRAIN/DR1/FCJF0/SI1027.PHN')
    return {part: tuple(utterances) for part, utterances in found.items()}


def _part_of(speaker: str) -> str | None:
    if speaker in TEST:
        return "test"
    return "validation" if speaker in VALIDATION else None


def _phone_files(folder: Path) -> Iterator[Path]:
    files = (path for path in folder.rglob("*") if path.suffix.upper() == ".PHN")
    for path in sorted(files, key=lambda path: str(path).upper()):
        if not path.stem.upper().startswith("SA"):
            yield path


def _utterance(phones: Path, speaker: str, faults: list[str]) -> Iterator[Utterance]:
    """The utterance of a file of phones; where others are missing, none, and they are added to the faults."""
    siblings = {}
    for suffix in (".WAV", ".TXT"):
        names = (phones.with_suffix(suffix), phones.with_suffix(suffix.lower()))
        siblings[suffix] = next((path for path in names if path.is_file()), None)
        if siblings[suffix] is None:
            faults.append(str(names[0]))
    recording, text = siblings[".WAV"], siblings[".TXT"]
    if recording is not None and text is not None:
        yield Utterance(recording, _text(text), speaker, read_segments(phones))


def _text(path: Path) -> str:
    try:
        content = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise DataError(f'"{path}" is not UTF-8 text: byte {error.start} {error.reason}') from error
    found = re.fullmatch(r"\d+\s+\d+\s+(\S.*)", content)
    if found is None:
        raise DataError(f'"{path}": expected "first-sample last-sample text" in one line, got "{content[:60]}"')
    return found[1]
