"""The report as one self-contained HTML file: no script, no network, light and dark, from phone to desk."""

import os
from collections.abc import Iterable, Sequence
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path

from gatewise import disk
from gatewise.errors import ConfigurationError
from gatewise.reports import calibration_plot, cell_plot, forecast_plot, loss_plot, reading_plot, track_plot
from gatewise.reports.calibration import CalibrationBins
from gatewise.reports.canvas import COLOURS, SERIES, SIZES, drawing, in_both_sizes, number, to_svg
from gatewise.reports.confusion_table import confusion_sentences, confusion_table
from gatewise.reports.content import (
    CellTrace,
    ConfusionMatrix,
    Curve,
    ForecastPanel,
    LossCurves,
    MetricsTable,
    Report,
    Values,
)
from gatewise.reports.reading import Reading
from gatewise.reports.timeline import labels
from gatewise.reports.track import Track
from gatewise.version import __version__

_KINDS = {
    "forecast": "Forecast report",
    "classify": "Classification report",
    "generate": "Generation report",
    "label": "Labelling report",
    "transcribe": "Transcription report",
}
# Nothing may be loaded and no script may run, whatever stands in the file.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M2 11c3 0 3-6 6-6s3 6 6 6' fill='none' stroke='%230b66c2' stroke-width='2.5'/%3E%3C/svg%3E"
)
_VARIABLES = {stand_in: f"var(--{role})" for role, stand_in in COLOURS.items()}


def render(report: Report) -> str:
    """A report as a complete HTML document; the same report gives the same text.

    >>> from gatewise.reports import Metric
    >>> page = render(Report("Airline", "forecast", MetricsTable(("gatewise",), (Metric("MAE"),), ((1.0,),))))
    >>> page[:15], "<h1>Airline</h1>" in page
    ('<!doctype html>', True)
    """
    style = files("gatewise.reports").joinpath("style.css").read_text(encoding="utf-8")
    sections = [
        _results(report.metrics, report.notes),
        _forecasts(report.forecasts),
        _readings(report.readings),
        _calibration(report.calibration),
        _tracks(report.tracks),
        _confusion(report.confusion),
        _history(report.history),
        _cell(report.cell),
    ]
    facts = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in report.facts)
    subtitle = f'<p class="subtitle">{escape(report.subtitle)}</p>' if report.subtitle else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{escape(report.title)} · {_KINDS[report.task]}</title>\n<link rel="icon" href="{_ICON}">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<header>\n"
        f'<p class="kind">{_KINDS[report.task]}</p>\n<h1>{escape(report.title)}</h1>\n{subtitle}\n'
        + (f'<dl class="facts">{facts}</dl>\n' if facts else "")
        + "</header>\n<main>\n"
        + "\n".join(section for section in sections if section)
        + f"\n</main>\n<footer><p>Written by gatewise {__version__}.</p></footer>\n</body>\n</html>\n"
    )


def write_report(report: Report, path: str | os.PathLike[str]) -> Path:
    """Writes a report to `path`, whole or not at all, and returns the path.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_report(Report("Airline", "forecast"), Path(folder) / "report.html").name
    'report.html'

    Raises:
        ConfigurationError: the file can't be written there; what stood there before is untouched.
    """
    target = Path(path)
    text = render(report)
    try:
        # File names may carry bytes that are no UTF-8 into titles; they become references, not a crash.
        disk.write_file(target, text.encode("utf-8", "xmlcharrefreplace"))
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the report to {target}: {error.strerror}; give a file name in an existing, writable folder"
        ) from error
    return target


def _section(key: str, title: str, body: str) -> str:
    return f'<section aria-labelledby="{key}">\n<h2 id="{key}">{title}</h2>\n{body}\n</section>'


def _scroll(label: str, table: str) -> str:
    """A table that scrolls by itself on a phone, also with the keyboard."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">{table}</div>'


def _legend(entries: Iterable[tuple[str, str]]) -> str:
    """A legend of (mark as HTML, name as plain text)."""
    return '<ul class="legend">' + "".join(f"<li>{mark}{escape(name)}</li>" for mark, name in entries) + "</ul>"


def _line(stand_in: str, dashed: bool = False) -> str:
    return f'<span class="line{" dashed" if dashed else ""}" style="--c:{_VARIABLES[stand_in]}"></span>'


def _results(metrics: MetricsTable | None, notes: Sequence[str]) -> str:
    body = "" if metrics is None else _metrics_table(metrics)
    if notes:
        body += '<ul class="notes">' + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"
    return _section("results", "Results", body) if body else ""


def _metrics_table(metrics: MetricsTable) -> str:
    columns = range(len(metrics.columns))
    places = [_places([row[k] for row in metrics.values]) for k in columns]
    best = [metrics.best(k) for k in columns]
    heads = "".join(
        f'<th scope="col">{escape(metric.name)}<span class="better">{metric.better} is better</span></th>'
        for metric in metrics.columns
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td{_best(r in best[k])}>{_fixed(metrics.values[r][k], places[k])}</td>" for k in columns)
        + "</tr>"
        for r, name in enumerate(metrics.rows)
    )
    head = f'<thead><tr><th scope="col">method</th>{heads}</tr></thead>'
    table = f'<table class="metrics">{head}<tbody>{rows}</tbody></table>'
    key = '<p class="key">The best value of each column is marked with a dot.</p>' if any(best) else ""
    return f'<div class="card">{_scroll("Results", table)}{key}</div>'


def _best(is_best: bool) -> str:
    return ' class="best" title="best value"' if is_best else ""


def _places(values: Sequence[float | None]) -> int:
    """Decimals that give the smallest value of a column three digits, at most four."""
    sizes = [abs(value) for value in values if value]
    if not sizes:
        return 0
    return next((places for places in range(4) if min(sizes) * 10**places >= 99.95), 4)


def _fixed(value: float | None, places: int) -> str:
    if value is None:
        return "–"
    return f"{value:,.{places}f}".replace("-", "−")


def _forecasts(panels: Sequence[ForecastPanel]) -> str:
    if not panels:
        return ""
    return _section("forecasts", "Forecast", "\n".join(_forecast(panel, k) for k, panel in enumerate(panels)))


def _forecast(panel: ForecastPanel, k: int) -> str:
    accent = COLOURS["accent"]
    entries = [(_line(COLOURS["muted"]), "history")] if panel.history else []
    if any(value is not None for value in panel.truth):
        entries.append((_line(COLOURS["ink"]), "truth"))
    entries.append((_line(accent), "forecast"))
    for j, band in enumerate(panel.bands()):
        entries.append(
            (f'<span class="band" style="--c:var(--accent);--a:{0.2 + 0.17 * j:.2f}"></span>', _band_name(*band))
        )
    if panel.baseline:
        entries.append((_line(COLOURS["contrast"], dashed=True), panel.baseline_name))
    measured = f"{panel.target} ({panel.unit})" if panel.unit else panel.target
    sentences = _forecast_sentences(panel)
    label = f"{panel.series}: forecast of {measured}. {sentences}"
    return (
        f'<figure>\n<figcaption><h3>{escape(panel.series)}</h3><span class="of">{escape(measured)}</span></figcaption>'
        f"{_legend(entries)}{in_both_sizes(f'f{k}', label, partial(forecast_plot.paint, panel))}"
        f"<p>{escape(sentences)}</p>\n{_forecast_values(panel)}</figure>"
    )


def _band_name(low: float, high: float) -> str:
    if abs(low + high - 1) < 1e-9:
        return f"{100 * (high - low):.3g} % band"
    return f"{low:g} to {high:g} quantile"


def _forecast_sentences(panel: ForecastPanel) -> str:
    names = labels(panel.times)
    steps = "1 step" if len(names) == 1 else f"{len(names)} steps"
    said = [f"{steps}, {names[0]} to {names[-1]}" if len(names) > 1 else f"{steps}, {names[0]}"]
    if panel.origin is not None:
        said[0] += f", made from what was known at {labels((panel.origin,))[0]}"
    own = forecast_plot.mean_absolute_error(panel, panel.forecast)
    other = forecast_plot.mean_absolute_error(panel, panel.baseline)
    if own is not None:
        compared = f", against {_number_text(other)} of {panel.baseline_name}" if other is not None else ""
        said.append(f"Mean absolute error {_number_text(own)}{compared}")
    covered = forecast_plot.coverage(panel)
    if covered is not None:
        low, high, inside, known = covered
        said.append(f"The {_band_name(low, high)} holds {inside} of {known} true values")
    shown = forecast_plot.shown_history(panel)
    if shown < len(panel.history):
        said.append(f"The last {shown:,} of {len(panel.history):,} known values are drawn")
    return ". ".join(said) + "."


def _number_text(value: float) -> str:
    """A measured number with three significant digits."""
    return number(float(f"{value:.3g}"))


def _forecast_values(panel: ForecastPanel) -> str:
    columns: list[tuple[str, Values]] = [("forecast", panel.forecast)]
    columns += [(f"{level:g} quantile", values) for level, values in panel.quantiles.items()]
    if panel.truth:
        columns.append(("truth", panel.truth))
    if panel.baseline:
        columns.append((panel.baseline_name, panel.baseline))
    places = _places([value for _, values in columns for value in values])
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name, _ in columns)
    rows = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{_fixed(values[step], places)}</td>" for _, values in columns)
        + "</tr>"
        for step, name in enumerate(labels(panel.times))
    )
    table = f'<table><thead><tr><th scope="col">time</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f"<details><summary>Values</summary>{_scroll(f'Values of {panel.series}', table)}</details>"


def _readings(readings: Sequence[Reading]) -> str:
    if not readings:
        return ""
    said = (
        "<p>Over each recording stands what was read, each symbol where it was found; under it how likely the symbols "
        "were at each step of the network, and in grey how likely it was that there is none.</p>"
    )
    return _section("readings", "Recordings", said + "\n".join(_reading(r, k) for k, r in enumerate(readings)))


def _tracks(tracks: Sequence[Track]) -> str:
    if not tracks:
        return ""
    said = (
        "<p>Each sequence over time, each channel on a scale of its own from its least value to its largest; under it "
        "what the model says of each step, and where that is known what is true.</p>"
    )
    return _section("tracks", "Sequences", said + "\n".join(_track(track, k) for k, track in enumerate(tracks)))


def _track(track: Track, k: int) -> str:
    entries = [(_line(track_plot.colour_of(j)), name) for j, name in enumerate(track.channels)]
    bands = [(_line(track_plot.colour_of(j)), name) for j, name in enumerate(track.labels)]
    lines = [(_line(COLOURS["accent"]), track.said)] if track.values else []
    if track.true_values:
        lines.append((_line(COLOURS["contrast"]), "true"))
    under = f"<p>{escape(track.said)}:</p>{_legend(bands)}" if bands else _legend(lines)
    label = f"{track.name}: {track.said} over time"
    return (
        f"<figure>\n<figcaption><h3>{escape(track.name)}</h3></figcaption>{_legend(entries)}{under}"
        f"{in_both_sizes(f't{k}', label, partial(track_plot.paint, track))}</figure>"
    )


def _reading(reading: Reading, k: int) -> str:
    right = f'read as "{reading.read}", with a confidence of {reading.confidence:.3g}'
    if reading.truth:
        right += " (right)" if reading.read == reading.truth else f'; it says "{reading.truth}"'
    strips = "".join(
        f'<div class="symbols {size.name}" aria-hidden="true">'
        + "".join(
            f'<span style="left:{100 * reading_plot.place_of(reading, (s.start + s.end) / 2, size):.2f}%">'
            f"{escape(s.text)}</span>"
            for s in reading.symbols
        )
        + "</div>"
        for size in SIZES
    )
    entries = [(_line(COLOURS["muted"]), "none")]
    entries += [(_line(reading_plot.colour_of(j)), name) for j, name in enumerate(reading.curves)]
    return (
        f'<figure>\n<figcaption><h3>{escape(reading.name)}</h3><span class="of">{escape(right)}</span>'
        f"</figcaption>{_legend(entries)}{strips}"
        f"{in_both_sizes(f'r{k}', f'{reading.name} {right}', partial(reading_plot.paint, reading))}</figure>"
    )


def _calibration(bins: CalibrationBins | None) -> str:
    if bins is None:
        return ""
    said = (
        f"<p>On average the confidence of a text is {100 * bins.error:.1f} points of 100 from how often texts of such "
        "a confidence are right. A dot stands for those of similar confidence, larger where there are more, and would "
        "be on the dashed line if confidences said how often they are right.</p>"
    )
    pairs = zip(bins.confidence, bins.accuracy, bins.count, strict=True)
    rows = "".join(
        f'<tr><th scope="row">{_fixed(x, 2)}</th><td>{_fixed(y, 2)}</td><td>{count:,}</td></tr>'
        for x, y, count in pairs
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("confidence", "right", "texts"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    label = f"Share of right texts over confidence, {len(bins.count)} bins"
    body = (
        "<figure>\n<figcaption><h3>Share of texts that are right</h3>"
        f'<span class="of">{bins.total:,} texts</span></figcaption>'
        f"{in_both_sizes('calibration', label, partial(calibration_plot.paint, bins))}"
        f"<details><summary>Values</summary>{_scroll('Values of the bins', table)}</details></figure>"
    )
    return _section("calibration", "Confidences", said + body)


def _confusion(matrix: ConfusionMatrix | None) -> str:
    if matrix is None:
        return ""
    body = (
        "<figure>\n<figcaption><h3>Confusion matrix</h3>"
        '<span class="of">counts; colour is the share of the true class, blue where right, orange where wrong</span>'
        f"</figcaption>{_scroll('Confusion matrix', confusion_table(matrix))}"
        f"<p>{confusion_sentences(matrix)}</p></figure>"
    )
    return _section("classes", "Classes", body)


def _history(history: LossCurves | None) -> str:
    if history is None or not any(run.training for run in history.runs):
        return ""
    runs = [run for run in history.runs if run.training]
    figures = _curves("loss", history.loss, runs, [run.training for run in runs])
    if any(run.validation for run in runs):
        validated = [run for run in runs if run.validation]
        figures += _curves("validation", history.validation, validated, [run.validation for run in validated])
    kept = [run.best_epoch for run in runs if run.best_epoch is not None]
    said = ""
    if kept:
        which = f"epoch {kept[0]}" if len(set(kept)) == 1 else f"epochs {', '.join(map(str, kept))}"
        if len(set(kept)) > 1 and len(kept) > len(SERIES):
            which = f"between epochs {min(kept)} and {max(kept)}"
        said = f"<p>The dot marks the epoch whose weights were kept: {which}.</p>"
    return _section("training", "Training", f'{said}<div class="pair">{figures}</div>')


def _curves(key: str, title: str, runs: Sequence[Curve], curves: Sequence[Values]) -> str:
    with drawing():
        last = [[value for value in curve if value is not None][-1:] for curve in curves]
        ends = ", ".join(_number_text(value) for values in last for value in values)
        svg = to_svg(
            loss_plot.paint(runs, curves), key, f"{title} over {max(map(len, curves))} epochs; at the end {ends}"
        )
    named = 1 < len(runs) <= len(SERIES)
    legend = (
        _legend((_line(loss_plot.run_colour(k, len(runs))), run.name) for k, run in enumerate(runs)) if named else ""
    )
    return f"<figure>\n<figcaption><h3>{escape(title)}</h3></figcaption>{legend}{svg}</figure>"


def _cell(trace: CellTrace | None) -> str:
    if trace is None:
        return ""
    limit = cell_plot.state_limit(trace)
    entries = []
    if cell_plot.inputs_as_lines(trace):
        entries += [(_line(SERIES[k]), name) for k, name in enumerate(trace.input_names)]
    scales = [("0", _scale(cell_plot.BLUE), "1 (gates)")] if len(trace.gates) > 1 else []
    bound = _number_text(limit)
    scales.append((f"−{bound}", _scale(cell_plot.ORANGE[::-1], cell_plot.BLUE), f"+{bound} (cell state)"))
    bars = "".join(f"<li>{low}{bar}{high}</li>" for low, bar, high in scales)
    label = f"Heat maps over {len(trace.inputs)} time steps of {', '.join(trace.gates)} of {len(trace.units)} units"
    body = (
        f"<p>{_explained(trace)}</p>\n"
        f'<figure>\n<figcaption><h3>{escape(trace.title)}</h3><span class="of">{len(trace.units)} most active of '
        f"{trace.of_units} units, by variance of c over time; each row bears its unit's number</span></figcaption>"
        f"{_legend(entries)}{in_both_sizes('cell', label, partial(cell_plot.paint, trace))}"
        f'<ul class="legend">{bars}</ul>'
        f"{_memory(trace)}</figure>"
    )
    return _section("cell", "A look into the cell", body)


def _scale(*stops: tuple[tuple[int, int, int], ...]) -> str:
    return f'<span class="scale" style="--stops:{cell_plot.gradient(*stops)}"></span>'


def _explained(trace: CellTrace) -> str:
    said = (
        "Each row is one unit and each column one time step, under the input that arrived at that step: where the "
        "forget gate f is near 1 the cell keeps its content and near 0 clears it, the input gate i lets new content "
        "in, and the output gate o shows the content to the rest of the network. "
        "The cell state c is the content itself: blue above 0, orange below, faint near 0, where it holds nothing."
    )
    if not cell_plot.inputs_as_lines(trace):
        said += " The input is drawn as one row a channel, each about its own mean."
        if any(value is None for row in trace.inputs for value in row):
            said += " Grey is missing."
    return said


def _memory(trace: CellTrace) -> str:
    memory = trace.longest_memory()
    if memory is None:
        return ""
    unit, mean, half_life = memory
    left = (
        "it kept all of its content"
        if half_life > 1e6
        else f"half of its content is left after {_number_text(half_life)} steps"
    )
    return f"<p>Longest memory of the units shown: unit {unit}, forget gate {mean:.3f} on average; {left}.</p>"
