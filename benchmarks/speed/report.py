"""Makes the page of results: Markdown and its plots.

    python -m benchmarks.speed.report [runs/speed.jsonl runs/scaling.jsonl] [--out docs] [--why why.toml]

Writes `performance.md` and `images/performance-*.svg` into the folder. The TOML file says of comparisons, by name, why
they miss their targets; it is told on the page of those that do.
"""

import argparse
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from benchmarks.speed import plots
from benchmarks.speed.page import PANELS, page
from benchmarks.speed.registry import COMPARISONS
from benchmarks.speed.results import Results, counted, read
from benchmarks.speed.scaling import SWEEPS

FILES = (Path("runs/speed.jsonl"), Path("runs/scaling.jsonl"))


def drawn(results: Results) -> dict[str, tuple[str, str]]:
    """File name -> description and SVG of each plot."""
    found: dict[str, tuple[str, str | None]] = {}
    for name, panels in PANELS.items():
        for threads in dict.fromkeys(line["threads"] for line in results.points):
            what = f"Ratios at each point, {counted(threads)}"
            found[f"performance-{name}-{threads}.svg"] = (what, plots.ratios(results, threads, panels))
    for sweep in SWEEPS:
        what = f"Time and memory against {sweep}"
        found[f"performance-scaling-{sweep.lower()}.svg"] = (what, plots.scaling(results.scaling, sweep))
    return {name: (what, svg) for name, (what, svg) in found.items() if svg is not None}


def reasons(path: Path | None) -> dict[str, str]:
    """Why comparisons miss their targets, out of a TOML file.

    Raises:
        ValueError: there is no such comparison, or a reason is no text.
    """
    if path is None:
        return {}
    found = tomllib.loads(path.read_text("utf-8"))
    for name, text in found.items():
        if name not in COMPARISONS:
            raise ValueError(f'{path}: there is no comparison "{name}"; there is: {", ".join(COMPARISONS)}')
        if not isinstance(text, str):
            raise ValueError(f'{path}: expected a sentence for "{name}", got {text!r}')
    return found


def write(results: Results, notes: Mapping[str, str], out: Path) -> Path:
    """The page and its plots into a folder; the path of the page."""
    images = drawn(results)
    (out / "images").mkdir(parents=True, exist_ok=True)
    for name, (_, svg) in images.items():
        _replace(out / "images" / name, svg)
    text = page(results, notes, {what: f"images/{name}" for name, (what, _) in images.items()})
    _replace(out / "performance.md", text)
    return out / "performance.md"


def _replace(path: Path, text: str) -> None:
    """Write a file whole, or leave the old one."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf-8")
    os.replace(part, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "files", nargs="*", type=Path, default=list(FILES), help=f"{' '.join(map(str, FILES))} by default"
    )
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder, docs by default")
    parser.add_argument("--why", type=Path, help="TOML file: comparison = why it misses its target")
    options = parser.parse_args()
    try:
        print(write(read(*options.files), reasons(options.why), options.out))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
