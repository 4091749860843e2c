"""The page of results in Markdown."""

import textwrap
from collections.abc import Mapping, Sequence

from benchmarks.speed.accuracy import OWN_ERRORS, ROUNDING, SAME_FUNCTION
from benchmarks.speed.case import Case, Comparison
from benchmarks.speed.registry import CASES
from benchmarks.speed.results import Line, Results, counted
from benchmarks.speed.scaling import CONTENDERS, SWEEPS, along, growth
from benchmarks.speed.summary import Row, summarise, table
from benchmarks.speed.timing import Plan

WIDTH = 120  # of lines of prose
INTRODUCTION = f"""\
# Performance

How fast layers are on a CPU, against what one would use instead. Every number on this page is out of one run of the
benchmarks, written by `python -m benchmarks.speed.report`.

    make bench PAGE=docs      # measures everything and writes this page; without PAGE into runs/
    make bench-quick          # a few points of each case, few repeats: does it work
    python -m benchmarks.speed --cases training --points 32/32/128 --threads 1
    python -m benchmarks.speed --check     # which results are not right, without times
    python -m benchmarks.speed --list

**A ratio is the rival's time over ours**: above 1, ours is faster. Contenders take turns within one process, another
one first each round, so that what disturbs the machine falls on all of them. A ratio is the median over rounds of the
two times of a round, in brackets its quartiles; a time is a median. Short calls are repeated until a sample takes
{1e3 * Plan().sample:.0f} ms. There are {Plan().most} rounds where a point takes no longer than {Plan().seconds:g} s
that way, and never fewer than {Plan().least}. Each number of threads has a process of its own, and onnxruntime as many
threads as torch.

**A ratio is refused unless results are right.** The truth is computed in float64 by the reference backend. Outputs,
last states and, in training, all gradients of ours must be within {OWN_ERRORS:g} times the error that torch itself has
in float32 (that of `torch.nn.LSTM`, for other cells that of a loop of torch operations; {ROUNDING:.1e} where it is
smaller), each measured by its largest deviation over the largest true value. Rivals, and in any case ours, must be
within {SAME_FUNCTION:g}: they have to compute the same function.

A point is written B/T/H: batch, time steps, hidden units; there are as many inputs as hidden units. Times are in
microseconds; "gatewise" is a layer as it comes, with `backend="auto"`, and the word in brackets says what ran.
"""

PANELS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "torch": (("inference vs torch.nn.LSTM", "inference vs onnxruntime"), ("training vs torch.nn.LSTM",)),
}


def page(results: Results, notes: Mapping[str, str], images: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        results: of `benchmarks.speed` and `benchmarks.speed.scaling`.
        notes: for a comparison, why it misses its target.
        images: description -> file name.
    """
    parts = [INTRODUCTION, _machines(results), *_summary(summarise(results), notes)]
    parts += [f"![{text}]({name})\n" for text, name in images.items()]
    for case in CASES.values():
        parts += _case(case, results)
    return _wrapped("\n".join([*parts, *_scaling(results.scaling)]).rstrip()) + "\n"


def _wrapped(text: str) -> str:
    """Paragraphs in lines of the width of this project's text; tables, code and headings as they are."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        paragraph
        if paragraph.lstrip("\n").startswith(("|", "#", "!", "    ", "- "))
        else textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
        for paragraph in paragraphs
    )


def _machines(results: Results) -> str:
    """Where the numbers come from; one line for each distinct machine and set of versions."""
    said = (
        "clock",
        "cpu",
        "cores",
        "instructions",
        "core_level",
        "platform",
        "python",
        "gatewise",
        "torch",
        "onnxruntime",
    )
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in results.machines:
        groups.setdefault(tuple(str(line[key]) for key in said), []).append(line)
    lines = ["## Where\n"]
    for values, members in groups.items():
        found = dict(zip(said, values, strict=True))
        dates = sorted({line["date"][:10] for line in members})
        seeds = sorted({line["seed"] for line in members})
        lines.append(
            f"{found['cpu']}, {found['cores']} cores, {found['instructions']} (compiled core: {found['core_level']}), "
            f"{found['platform']}; Python {found['python']}, gatewise {found['gatewise']}, torch {found['torch']}, "
            f"onnxruntime {found['onnxruntime']}; {' and '.join(dates)}, seed {', '.join(map(str, seeds))}.\n"
        )
    if any(line["clock"] == "processor" for line in results.machines):
        lines.append(
            "Times are those that the process ran (processor time), since others ran on the machine as well.\n"
        )
    if any(line["quick"] for line in results.machines):
        lines.append("**A quick run**: few points, few repeats. Its numbers show that the benchmarks work, no more.\n")
    if results.others is not None:
        lines.append(f"{results.others}\n")
    return "\n".join(lines)


def _summary(rows: Sequence[Row], notes: Mapping[str, str]) -> list[str]:
    lines = [
        "## Summary\n",
        "Geometric means over the points, and the smallest ratio. A floor holds at every point; a geomean is to be "
        "reached over all, a stretch would be better still.\n",
        *table(rows),
        "",
    ]
    missed = dict.fromkeys(row.name for row in rows if "missed" in row.verdict() and row.name in notes)
    if missed:
        lines += ["Why:\n", *(f"- **{name}**: {notes[name]}" for name in missed), ""]
    return lines


def _case(case: Case, results: Results) -> list[str]:
    lines = [f"## {case.title}\n", f"{case.about}\n"]
    for threads in case.threads:
        measured = results.at(case.name, threads)
        heading = f"### {counted(threads)}\n"
        if measured:
            lines += [heading, *_table(case, measured), "", *_remarks(case, measured)]
        for reason, points in results.reasons(case.name, threads).items():
            where = "" if len(points) == len(case.points) else f" at {', '.join(points)}"
            lines.append(f"Not measured with {counted(threads)}{where}: {reason}.\n")
    return lines if len(lines) > 2 else []


def _table(case: Case, measured: Sequence[Line]) -> list[str]:
    """A row for each point: the contender that most comparisons share, then of each the other and the ratio."""
    names = [name for comparison in case.comparisons for name in comparison.contenders]
    base = max(dict.fromkeys(names), key=names.count)
    heads = [_head(comparison, base) for comparison in case.comparisons]
    lines = [f"| B/T/H | {base} | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    for line in measured:
        cells = [_cell(comparison, base, line) for comparison in case.comparisons]
        ran = f" ({line['backends'][base]})" if base in line["backends"] else ""
        lines.append(f"| {line['point']} | {_us(line, base)}{ran} | {' | '.join(cells)} |")
    return lines


def _head(comparison: Comparison, base: str) -> str:
    if base not in comparison.contenders:
        return f"{comparison.ours}, and its ratio to {', '.join(comparison.rivals)}"
    if comparison.ours != base:
        return comparison.ours
    return comparison.rivals[0] if len(comparison.rivals) == 1 else f"the fastest of {', '.join(comparison.rivals)}"


def _cell(comparison: Comparison, base: str, line: Line) -> str:
    found = line["ratios"].get(comparison.name)
    if found is None:
        return ""
    if "refused" in found:
        return f"refused: {found['refused']}"
    other = comparison.ours if comparison.ours != base else found["rival"]
    name = f"{other} " if len(comparison.rivals) > 1 else ""
    return f"{name}{_us(line, other)}: **{found['ratio']:.2f}** ({found['low']:.2f}–{found['high']:.2f})"


def _us(line: Line, name: str) -> str:
    value = line["us"].get(name)
    return "–" if value is None else _short(value)


def _remarks(case: Case, measured: Sequence[Line]) -> list[str]:
    own = {comparison.ours for comparison in case.comparisons}
    shares = [value for line in measured for name, value in line["of_allowed"].items() if name in own]
    repeats = sorted(line["repeats"] for line in measured)
    lines = [f"{repeats[0]} to {repeats[-1]} rounds."] if repeats[0] < repeats[-1] else [f"{repeats[0]} rounds."]
    if shares and None not in shares:
        lines.append(f"The largest error of ours is {max(shares):.0%} of the one allowed.")
    compiled = [
        f"{name} at {line['point']} {seconds:.0f} s"
        for line in measured
        for name, seconds in line["prepared_seconds"].items()
    ]
    if compiled:
        lines.append(f"Compiling took: {', '.join(compiled)}.")
    return [" ".join(lines) + "\n"]


def _scaling(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    parts = [
        "## Time and memory against size\n",
        "Each size in a process of its own: the shortest of several calls, and the peak of memory above what the "
        f"process held before it made layer and input. {counted(lines[0]['threads'])}.\n",
    ]
    exponents = {(each.sweep, each.contender, each.mode): each for each in growth(lines)}
    for sweep in SWEEPS:
        here = [line for line in lines if line["sweep"] == sweep]
        if not here:
            continue
        columns = [(name, mode) for mode in ("inference", "training") for name in CONTENDERS]
        parts += [f"### {sweep}\n", f"| B/T/H | {' | '.join(f'{name}, {mode}' for name, mode in columns)} |"]
        parts.append("|---" * (1 + len(columns)) + "|")
        for point in sorted({line["point"] for line in here}, key=lambda text: along(sweep, {"point": text})):
            found = {(line["contender"], line["mode"]): line for line in here if line["point"] == point}
            parts.append(f"| {point} | {' | '.join(_footprint(found.get(column)) for column in columns)} |")
        grown = [exponents.get((sweep, *column)) for column in columns]
        cells = (
            "" if each is None else f"time {sweep}^{each.time:.2f}, memory {sweep}^{each.memory:.2f}" for each in grown
        )
        parts += [f"| grows as | {' | '.join(cells)} |", ""]
    return parts


def _footprint(line: Line | None) -> str:
    if line is None:
        return ""
    return f"{_short(line['ms'])} ms, {_short(line['peak_mb'])} MB" if "ms" in line else line["reason"]


def _short(value: float) -> str:
    """Three digits, or all before the point.

    >>> _short(3741.2), _short(0.55512)
    ('3,741', '0.555')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
