"""Tiny made-up folders in the layouts of TIMIT and Common Voice."""

from pathlib import Path

import numpy as np
import soundfile

SAID = {"SA1": "She had your dark suit.", "SI648": "A sailboat may have a bone in her teeth.", "SX37": "Oil."}
PHN = "0 1600 h#\n1600 3000 q\n3000 4000 oy\n4000 5200 l\n5200 8000 h#\n"
HEADER = "client_id\tpath\tsentence_id\tsentence\tup_votes\n"


def make_timit(root: Path, lower: bool = False) -> Path:
    """Five speakers of half a second: two to train with, one each for validation and testing, one in no part."""
    for place in ("TRAIN/DR1/FCJF0", "TRAIN/DR2/MARC0", "TEST/DR1/MDAB0", "TEST/DR1/FAKS0", "TEST/DR1/MREB9"):
        for name, text in SAID.items():
            stem = root / place / name
            files = {".PHN": PHN, ".TXT": f"0 8000 {text}\n"}
            for suffix, content in files.items():
                path = stem.with_suffix(suffix)
                path = root / str(path.relative_to(root)).lower() if lower else path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
            path = stem.with_suffix(".WAV")
            path = root / str(path.relative_to(root)).lower() if lower else path
            soundfile.write(path, np.sin(np.arange(8000.0)) / 2, 16000, format="NIST", subtype="PCM_16")
    return root


def make_common_voice(root: Path) -> Path:
    """The folder of a language with three recordings."""
    (root / "clips").mkdir(parents=True)
    for part, rows in {
        "train": 'ann\tone.mp3\t1\tHe said "no"\t2\nbob\ttwo\t2\tYes.\t2\n',
        "dev": "eve\tthree.mp3\t3\tMaybe.\t2\n",
        "test": "eve\tthree.mp3\t3\tMaybe.\t2\r\n",
    }.items():
        (root / f"{part}.tsv").write_text(HEADER + rows, newline="")
    for name in ("one", "two", "three"):
        soundfile.write(root / "clips" / f"{name}.mp3", np.sin(np.arange(32000.0) / 20) / 2, 32000)
    return root
