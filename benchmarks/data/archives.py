"""Published packages as files: each fetched once by its own client, checked, kept in a cache, and never installed."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gatewise.disk import write_file


@dataclass(frozen=True)
class Archive:
    """One file of one package.

    Attributes:
        name: the package and its version, for messages.
        sha256: of the file that must come.
        suffix: of the file's name.
        command: of the client that fetches it into the folder in which it is run.
    """

    name: str
    sha256: str
    suffix: str
    command: tuple[str, ...]


def cache(kind: str) -> Path:
    """A folder of the cache of this project's data, made where it is missing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatewise" / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def npm(package: str, version: str, sha256: str) -> Archive:
    """A package of the npm registry, as a .tgz."""
    command = ("npm", "pack", "--silent", "--ignore-scripts", f"{package}@{version}")
    return Archive(f"npm {package} {version}", sha256, ".tgz", command)


def debian(package: str, version: str, sha256: str) -> Archive:
    """A package of Debian, as a .deb."""
    command = ("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", f"{package}={version}")
    return Archive(f"Debian {package} {version}", sha256, ".deb", command)


def sdist(package: str, version: str, sha256: str) -> Archive:
    """A package of the Python index, as its sources."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
    command = (*pip, "--no-deps", "--no-binary=:all:", f"{package}=={version}")
    return Archive(f"{package} {version} (sources)", sha256, ".tar.gz", command)


def fetched(archive: Archive, folder: Path) -> Path:
    """Where the file lies, after fetching it if it does not lie there yet.

    Raises:
        SystemExit: it did not come; or what came, or what lies there, has another sha256.
    """
    path = folder / f"{archive.sha256}{archive.suffix}"
    if not path.exists():
        print(f"fetching {archive.name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            try:
                subprocess.run(archive.command, check=True, cwd=temporary, stdout=subprocess.DEVNULL)
            except (OSError, subprocess.CalledProcessError) as error:
                raise SystemExit(f"{archive.name} did not come: {error}") from error
            (file,) = Path(temporary).glob(f"*{archive.suffix}")
            found = sha256(file)
            if found != archive.sha256:
                raise SystemExit(f"{archive.name}: got sha256 {found}, expected {archive.sha256}; not kept")
            os.replace(file, path)
    found = sha256(path)
    if found != archive.sha256:
        raise SystemExit(f"{path} is not {archive.name}: sha256 {found}, expected {archive.sha256}. Delete it.")
    return path


def unpacked(archive: Archive, member: str, folder: Path) -> Path:
    """One file out of a package of Debian, unpacked into a folder, by the package's sha256, after fetching it.

    Raises:
        SystemExit: as `fetched`.
    """
    path = folder / archive.sha256 / Path(member).name
    if not path.exists():
        package = fetched(archive, folder)
        content = subprocess.run(("dpkg-deb", "--fsys-tarfile", package), check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(content)) as files:
            file = files.extractfile(f"./{member}")
            assert file is not None
            path.parent.mkdir(exist_ok=True)
            write_file(path, file.read())
    return path


def sha256(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
