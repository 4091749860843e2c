"""Speech with exact phones: sentences spoken by the voices of flite 2.2 (Black & Lenzo 2001), 16,000 samples a second.

Sentences are templates whose gaps are filled with words of the CMU dictionary, those of training sentences and those of
the others out of disjoint parts (`pronunciations.split`). Phones are what flite says it speaks, 40 of them and pauses,
with the ends that it gave them, of which the sound is made in steps of 5 ms (of kal16, of pitch periods). Transcripts
are without the pauses. One voice is held out.

    python -m benchmarks.data.flite OUT --train 3000 --test 300 --held-out rms

writes the folders OUT/train and OUT/test, of the same voices, and OUT/held-out: a .wav for each sentence with its
phones beside it as .phn (first sample, sample after the last, phone; pauses are "pau"), and manifest.csv with the
columns path, text, phones and speaker. The same seed gives the same sentences, and the same flite the same bits.

Debian's packages are fetched by apt-get, checked, and unpacked into the cache; nothing is installed. Elsewhere the
program `flite` has to be installed.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.data import archives, pronunciations
from gatewise.data.speech import Segment, Utterance, write_manifest, write_segments

VERSION = "2.2-5"
PACKAGES = {  # for amd64
    "flite": "f4ce03470bf9974c2cb9cacd981e6be29339ef4c97cf994dd6fa3f90e6544db9",
    "libflite1": "bfa8c591f1b47730b30b372ec38e02918a1c9795eada67684e1746390ad2f061",
}
VOICES = ("awb", "kal16", "rms", "slt")  # Scottish and American men, an American man, an American woman
RATE = 16000
TOLERANCE = RATE // 200  # 5 ms: the frames that most voices put together
PAUSE = "pau"
TRAIN, TEST, HELD_OUT = 0, 1, 2  # the second number of a sentence generator's seed

# A word for each _; commas are pauses.
TEMPLATES = tuple(
    """
    the _ _ was near the _
    she said _ and _ but not _
    a _ of _ is on my _
    we saw two _ and a _
    did you ever _ the _ of _
    when the _ came, they went to _
    _ and _ are not the same
    I think that _ would be _
    please put _ under the _ _
    there is no _ without _
    he looked at the _, then at the _
    every _ has its own _
    from _ to _ it takes an hour
    why not _ with this _
    they call it _ or _
    some _ will always be _, others never
    my friend from _ likes _ more than _
    it was _, it was _, and it was _
    give me _, _ and _
    you should have a _ before the _
    """.strip().splitlines()
)


@dataclass(frozen=True)
class Program:
    """A flite that runs.

    Attributes:
        path: of the program.
        libraries: the folder of its libraries; None where the system finds them.
    """

    path: Path
    libraries: Path | None = None

    def __call__(self, *arguments: str) -> str:
        """What it prints.

        Raises:
            SystemExit: it fails.
        """
        environment = dict(os.environ)
        if self.libraries is not None:
            environment["LD_LIBRARY_PATH"] = str(self.libraries)
        ran = subprocess.run([self.path, *arguments], env=environment, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise SystemExit(
                f"flite {' '.join(arguments)!r:.200} failed ({ran.returncode}): {ran.stderr.strip()[:300]}. Where a "
                "library is missing, install libasound2"
            )
        return ran.stdout


@cache
def program() -> Program:
    """Debian's flite, fetched and checked, or else the one that is installed.

    Raises:
        SystemExit: there is none, or it has not all of `VOICES`.
    """
    found, reason = _unpacked()
    if found is None:
        installed = shutil.which("flite")
        if installed is None:
            raise SystemExit(
                f"no flite: {reason}. Install the package flite (Debian, Ubuntu: apt-get install flite), version 2.2, "
                "so that the program flite is found"
            )
        print(f"{reason}; taking {installed}, whose bits may be others", file=sys.stderr)
        found = Program(Path(installed))
    voices = found("-lv").split(":")[-1].split()
    missing = sorted(set(VOICES) - set(voices))
    if missing:
        raise SystemExit(f"{found.path} has no voices {', '.join(missing)}; it has {', '.join(voices)}")
    return found


def _unpacked() -> tuple[Program | None, str]:
    """Debian's packages in the cache, and why not."""
    if platform.machine() != "x86_64" or not shutil.which("apt-get") or not shutil.which("dpkg"):
        return None, "the checked packages are Debian's for amd64"
    cache_folder = archives.cache("debian")
    folder = cache_folder / f"flite-{VERSION}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache_folder) as temporary:
            for name, sha256 in PACKAGES.items():
                command = ("apt-get", "download", "-qq", f"{name}={VERSION}")
                archive = archives.Archive(f"Debian {name} {VERSION}", sha256, ".deb", command)
                try:
                    path = archives.fetched(archive, cache_folder)
                except subprocess.CalledProcessError as error:
                    return None, f"apt-get does not fetch {name} {VERSION} (exit code {error.returncode})"
                subprocess.run(["dpkg", "-x", path, Path(temporary) / "new"], check=True)
            (Path(temporary) / "new").rename(folder)
    libraries = next((folder / "usr" / "lib").glob("*/libflite.so.1")).parent
    return Program(folder / "usr" / "bin" / "flite", libraries), ""


def speak(text: str, voice: str, path: Path, settings: Mapping[str, float] | None = None) -> tuple[Segment, ...]:
    """Have a sentence spoken into a WAV file; its phones and pauses.

    Args:
        text: the sentence.
        voice: one of `VOICES`.
        path: of the file.
        settings: of flite, by name: "duration_stretch", and "int_f0_target_mean" in Hz, which rms does not heed.

    Raises:
        SystemExit: what flite says does not fit what it wrote.
    """
    given = [part for name, value in (settings or {}).items() for part in ("--setf", f"{name}={value:g}")]
    said = program()("-voice", voice, *given, "-psdur", "-t", text, "-o", str(path))
    pairs = re.findall(r"(\S+):(\d+\.\d{3})", said)
    # Ends are printed in seconds with three decimals.
    ends = [round(1000 * float(end)) * RATE // 1000 for _, end in pairs]
    with wave.open(str(path)) as file:
        samples, rate = file.getnframes(), file.getframerate()
    # kal16 leaves out the second half of the last pause.
    if rate != RATE or len(pairs) < 2 or pairs[-1][0] != PAUSE or not ends[-2] < samples <= ends[-1] + TOLERANCE:
        raise SystemExit(f"flite wrote {samples} samples at {rate} Hz, and says of {text!r}: {said.strip()[:200]}")
    ends[-1] = samples
    # A phone that is shorter than what is printed is none.
    starts = [0, *ends[:-1]]
    return tuple(
        Segment(start, end, phone) for (phone, _), start, end in zip(pairs, starts, ends, strict=True) if end > start
    )


def sentences(words: Sequence[str], seed: int, part: int) -> Iterator[str]:
    """Sentences without end, the same for the same seed."""
    rng = np.random.default_rng([seed, part])
    while True:
        template = TEMPLATES[int(rng.integers(len(TEMPLATES)))].strip()
        yield re.sub("_", lambda _: words[int(rng.integers(len(words)))], template)


def fillers() -> tuple[list[str], list[str]]:
    """Words for training sentences and for others: of 3 to 9 letters."""
    train, test = (
        [word.spelling for word in part if re.fullmatch("[a-z]{3,9}", word.spelling)] for part in pronunciations.split()
    )
    return train, test


def write(folder: Path, texts: Sequence[str], voices: Sequence[str]) -> str:
    """Speak sentences, by one voice after the other, into a new folder.

    Returns:
        The SHA-256 of all recordings, one after the other.

    Raises:
        SystemExit: the folder is there already.
    """
    if folder.exists():
        raise SystemExit(f"{folder} is there already; remove it, or name another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        place = Path(temporary) / "new"
        place.mkdir()
        utterances, phones = [], []
        for number, text in enumerate(texts):
            voice = voices[number % len(voices)]
            path = place / f"{voice}-{number:05}.wav"
            segments = speak(text, voice, path)
            write_segments(path.with_suffix(".phn"), segments)
            digest.update(path.read_bytes())
            utterances.append(Utterance(path, text, voice, segments))
            phones.append([segment.label for segment in segments if segment.label != PAUSE])
        write_manifest(place / "manifest.csv", utterances, phones)
        place.rename(folder)
    return digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Write sentences spoken by flite, with their phones.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=3000, help="how many training sentences")
    parser.add_argument("--test", type=int, default=300, help="how many test sentences, and as many of the other voice")
    parser.add_argument("--held-out", choices=VOICES, default="rms", help="the voice that is not trained on")
    parser.add_argument("--seed", type=int, default=0, help="of the training sentences")
    arguments = parser.parse_args()
    same = [voice for voice in VOICES if voice != arguments.held_out]
    train, test = fillers()
    for name, words, seed, part, count, voices in (
        ("train", train, arguments.seed, TRAIN, arguments.train, same),
        ("test", test, 0, TEST, arguments.test, same),
        ("held-out", test, 0, HELD_OUT, arguments.test, [arguments.held_out]),
    ):
        drawn = sentences(words, seed, part)
        digest = write(arguments.out / name, [next(drawn) for _ in range(count)], voices)
        print(f"{name}: {count} sentences by {', '.join(voices)}; recordings have sha256 {digest}")


if __name__ == "__main__":
    main()
