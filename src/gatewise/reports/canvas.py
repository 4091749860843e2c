"""Matplotlib figures as inline SVG whose colours are the page's: drawn once, right in light and in dark.

Figures are drawn in stand-in colours, one for each role in `COLOURS`, which `to_svg` replaces by CSS variables. Text in
figures is only numbers, dates and words of this package; names that come from users stand in the HTML around them.
"""

import html
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

_ROLES = ("ink", "muted", "rule", "surface", "accent", "contrast", "s1", "s2", "s3", "s4", "s5", "s6")
COLOURS = {role: f"#e1{17 * k:02x}7f" for k, role in enumerate(_ROLES)}
SERIES = tuple(COLOURS[role] for role in _ROLES if re.fullmatch(r"s\d", role))


@dataclass(frozen=True)
class Size:
    """A variant of a figure: its name in the style sheet and its width in CSS pixels."""

    name: str
    width: int

    @property
    def narrow(self) -> bool:
        """Whether this variant is for phones."""
        return self.name == "narrow"


SIZES = (Size("wide", 840), Size("narrow", 350))


@contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib's own defaults, whatever the user has configured, with this report's strokes; restored afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        muted, rule = COLOURS["muted"], COLOURS["rule"]
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "gatewise",  # identical input gives identical bytes
                "text.parse_math": False,
                "font.size": 12,
                "text.color": COLOURS["ink"],
                "axes.facecolor": "none",
                "axes.edgecolor": rule,
                "axes.labelcolor": muted,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "grid.color": rule,
                "grid.linewidth": 0.8,
                "xtick.color": rule,
                "ytick.color": rule,
                "xtick.labelcolor": muted,
                "ytick.labelcolor": muted,
                "xtick.major.size": 4,
                "ytick.major.size": 0,
                "lines.solid_capstyle": "round",
            }
        )
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` CSS pixels (one SVG unit each)."""
    return Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")


def place(axes: Axes, left: float, top: float, right: float, bottom: float) -> Axes:
    """Puts axes between two corners, given in CSS pixels from the figure's upper left."""
    width, height = axes.get_figure(root=True).get_size_inches() * 72  # type: ignore[union-attr]
    axes.set_position((left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height))
    return axes


def new_axes(figure: Figure) -> Axes:
    """Axes over the whole figure, to be placed."""
    return figure.add_axes((0, 0, 1, 1), label=str(len(figure.axes)))


def number(value: float) -> str:
    """A number as short text for an axis."""
    text = f"{value:,.6g}" if value == 0 or 1e-4 <= abs(value) < 1e7 else f"{value:.3g}"
    return text.replace("-", "−")


def value_axis(axes: Axes, ticks: int = 5, logarithmic: bool = False) -> float:
    """Grid and labelled ticks on the y axis; returns the width of the widest label in CSS pixels."""
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=2 * ticks))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    low, high = axes.get_ylim()
    shown = [number(tick) for tick in axes.yaxis.get_major_locator()() if low <= tick <= high]
    return 7.0 * max(map(len, shown), default=1)


def date_axis(axes: Axes, narrow: bool) -> None:
    """Calendar ticks on the x axis."""
    locator = AutoDateLocator(minticks=3, maxticks=5 if narrow else 9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.xaxis.get_offset_text().set_color(COLOURS["muted"])


def line(axes: Axes, x: Sequence[float], y: Sequence[float | None], colour: str, **style: object) -> None:
    """A line with gaps where `y` is None; a value without neighbours, which a line would hide, becomes a dot."""
    values = [float("nan") if value is None else value for value in y]
    axes.plot(x, values, color=colour, **style)  # type: ignore[arg-type]
    known = [False, *(value is not None for value in y), False]
    alone = [k for k in range(len(y)) if known[k + 1] and not known[k] and not known[k + 2]]
    if alone:
        axes.plot([x[k] for k in alone], [values[k] for k in alone], "o", color=colour, markersize=4)


def to_svg(figure: Figure, key: str, label: str, size: str = "") -> str:
    """A figure as an `<svg>` element for an HTML page.

    `key` is unique in the page and keeps the ids of figures apart; `label` is read to those who can't see it.
    """
    stream = io.StringIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", facecolor="none", metadata=metadata)
    text = stream.getvalue()
    # An inline <style> would reach the whole page; what it says stands in the page's style sheet.
    text = re.sub(
        r"<style.*?</style>|<!--.*?-->|<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL
    )
    referred = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))
    kept = {name for pair in referred for name in pair if name}
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{key}-{m[1]}"' if m[1] in kept else "", text)
    text = re.sub(r"url\(#|href=\"#", lambda m: f"{m[0]}{key}-", text)
    for role, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{role})")
    # The page's font and weight, and only the size from here.
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    text = re.sub(r"font-family: [^;\"]*;?", "", text)
    # A hundredth of a pixel is finer than any screen, and a third smaller than Matplotlib's millionth.
    text = re.sub(r' d="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)
    view = re.search(r'viewBox="([^"]+)"', text)
    assert view is not None, "Matplotlib writes a viewBox"
    opening = f'<svg class="{size}" role="img" aria-label="{html.escape(label)}" viewBox="{view[1]}">'
    body = text[text.index(">") + 1 :]
    return re.sub(r"<defs>\s*</defs>", "", opening + re.sub(r">\s+<", "><", body.strip()))


def in_both_sizes(key: str, label: str, paint: Callable[[Size], Figure]) -> str:
    """A figure drawn for a desk and for a phone; the style sheet shows the one that fits."""
    drawn = []
    for size in SIZES:
        with drawing():
            drawn.append(to_svg(paint(size), f"{key}-{size.name}", label, size.name))
    return "".join(drawn)
