import dataclasses
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from sample_reports import airline_panel, classify_report, forecast_report

from gatewise.errors import ConfigurationError
from gatewise.reports import (
    CellTrace,
    ConfusionMatrix,
    Curve,
    ForecastPanel,
    LossCurves,
    Metric,
    MetricsTable,
    Report,
    cell_plot,
    forecast_plot,
    render,
    write_report,
)
from gatewise.reports.canvas import COLOURS, SIZES, drawing

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Checks that elements close in order, and collects what the tests look at."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def of(self, tag: str) -> list[str]:
        return [text for parent, text in self.texts if parent == tag]


@pytest.fixture(scope="module", params=[forecast_report, classify_report])
def page(request: pytest.FixtureRequest) -> str:
    return render(request.param())


def test_page_is_well_formed_and_self_contained(page: str) -> None:
    outline = Outline(page)
    names = [name for name, _ in outline.tags]
    assert not {"script", "iframe", "object", "embed", "form"} & set(names)
    links = [value for _, attrs in outline.tags for key, value in attrs.items() if key in ("href", "src", "xlink:href")]
    assert links
    assert all(link is not None and link.startswith(("data:image/", "#")) for link in links)
    assert "@import" not in page
    assert len(page.encode()) < 300_000


def test_ids_are_unique_and_every_reference_finds_one(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    references = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"|aria-labelledby="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {name for found in references for name in found if name} == set(ids)


def test_every_colour_in_figures_is_the_pages(page: str) -> None:
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert "var(--ink)" in figures
    assert "var(--muted)" in figures
    assert re.findall(r"(?:fill|stroke): ?#\w+", figures) == []
    used = set(re.findall(r"var\(--([\w-]+)\)", page)) - {"c", "a", "share", "stops"}
    style = page[: page.index("</style>")]
    dark = style[style.index("prefers-color-scheme: dark") :]
    dark = dark[: dark.index("}")]
    assert used == {name for name in used if f"--{name}:" in dark and style.count(f"--{name}:") == 2}


def test_same_report_gives_same_bytes_whatever_the_user_configured(page: str) -> None:
    with matplotlib.rc_context():
        matplotlib.rcParams.update({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path", "axes.grid": True})
        before = dict(matplotlib.rcParams)
        again = [render(build()) for build in (forecast_report, classify_report)]
        assert dict(matplotlib.rcParams) == before
    assert page in again


def test_headings_and_figures_can_be_read_aloud(page: str) -> None:
    outline = Outline(page)
    assert len(outline.of("h1")) == 1
    assert {"Results", "Training", "A look into the cell"} <= set(outline.of("h2"))
    figures = [attrs for tag, attrs in outline.tags if tag == "svg"]
    assert figures
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in figures)


HOSTILE = "<script>alert(\"1\")</script> $\\frac{1}$ & '數' _x"


def test_names_from_users_are_text_and_nothing_else() -> None:
    values = ((1.0,),)
    told = Report(
        title=HOSTILE,
        task="classify",
        subtitle=HOSTILE,
        facts=((HOSTILE, HOSTILE),),
        metrics=MetricsTable((HOSTILE,), (Metric(HOSTILE),), values),
        notes=(HOSTILE,),
        history=LossCurves((Curve(HOSTILE, (1, 2), (1, 2)), Curve(HOSTILE, (1, 2))), HOSTILE, HOSTILE),
        forecasts=(
            ForecastPanel(
                HOSTILE,
                (1,),
                (1,),
                (2,),
                (1,),
                (1,),
                baseline=(2,),
                baseline_name=HOSTILE,
                target=HOSTILE,
                unit=HOSTILE,
            ),
        ),
        confusion=ConfusionMatrix((HOSTILE, "b"), ((1, 2), (0, 1))),
        cell=CellTrace(HOSTILE, ((1,),), (HOSTILE,), {"c": ((0.5,),)}, (0,), 1),
    )
    outline = Outline(render(told))
    assert "script" not in [tag for tag, _ in outline.tags]
    said = [text for _, text in outline.texts if HOSTILE in text]
    # Title twice; subtitle; fact twice; row and column; note; two curve titles with two and no legend entries; series,
    # target, baseline in legend, sentence and values; class in row, column and confusion; trace and its input.
    assert len(said) >= 20
    assert all(HOSTILE in text or "alert(" not in text for _, text in outline.texts)


def test_results_table_marks_the_best_and_shows_three_digits() -> None:
    columns = (Metric("MAPE %"), Metric("accuracy", "higher"), Metric("RMSE"))
    values = ((3.4167, 0.98765, 18312.4), (9.9871, 0.9, None))
    outline = Outline(render(Report("t", "forecast", MetricsTable(("ours", "naive"), columns, values))))
    assert outline.of("td") == ["3.42", "0.988", "18,312", "9.99", "0.900", "–"]
    marked = [attrs.get("class") for tag, attrs in outline.tags if tag == "td"]
    assert marked == ["best", "best", None, None, None, None]


def test_confusion_table_shades_by_share_of_the_true_class() -> None:
    matrix = ConfusionMatrix(("cat", "dog"), ((30, 10), (0, 5)))
    page = render(Report("t", "classify", confusion=matrix))
    outline = Outline(page)
    assert outline.of("td") == ["30", "10", "75.0 %", "·", "5", "100.0 %"]
    cells = [(attrs.get("class"), attrs.get("style")) for tag, attrs in outline.tags if tag == "td"]
    assert ("right strong", "--share:0.78") in cells
    assert ("wrong", "--share:0.34") in cells
    assert "35 of 45 sequences are classified correctly (77.8 %)." in page
    assert "cat taken for dog (10)" in page


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_forecast_figure_draws_the_given_values(size: forecast_plot.Size) -> None:
    panel = airline_panel()
    with drawing():
        axes = forecast_plot.paint(panel, size).axes[0]
    lines = {str(line.get_color()): np.asarray(line.get_ydata(), dtype=float) for line in reversed(axes.lines)}
    np.testing.assert_array_equal(lines[COLOURS["accent"]], panel.forecast)
    np.testing.assert_array_equal(lines[COLOURS["contrast"]], panel.baseline)
    np.testing.assert_array_equal(lines[COLOURS["ink"]], (panel.history[-1], *panel.truth))
    band = axes.collections[0].get_paths()[0].get_extents()
    lows = [value for value in panel.quantiles[0.05] if value is not None]
    highs = [value for value in panel.quantiles[0.95] if value is not None]
    assert (band.y0, band.y1) == pytest.approx((min(lows), max(highs)))


def test_forecast_says_in_words_how_good_it_was() -> None:
    panel = ForecastPanel(
        "s", ("2024-01",), (5,), ("2024-02", "2024-03", "2024-04"), (1, 2, 3), (2, None, 9),
        {0.1: (0, 0, 0), 0.9: (4, 4, 4)}, baseline=(4, 4, 4), baseline_name="naive",
    )  # fmt: skip
    page = render(Report("t", "forecast", forecasts=(panel,)))
    assert "3 steps, 2024-02 to 2024-04, made from what was known at 2024-01." in page
    assert "Mean absolute error 3.5, against 3.5 of naive." in page
    assert "The 80 % band holds 1 of 2 true values." in page


@pytest.mark.parametrize(
    "panel",
    [
        ForecastPanel("one step, nothing known", (), (), (7,), (1.5,), quantiles={0.1: (1,), 0.9: (2,)}),
        ForecastPanel("all missing", (1, 2), (None, None), (3, 4), (None, None), (None, None)),
        ForecastPanel("constant", (1, 2), (5, 5), (3,), (5,), (5,)),
        ForecastPanel("far", ("2024-01-01T00:00:00.5",), (1e12,), ("2024-01-01T00:00:01",), (-1e-9,)),
        ForecastPanel("alone between gaps", tuple(range(5)), (1, None, 2, None, 3), (5,), (1,)),
    ],
    ids=lambda panel: panel.series,
)
def test_thin_panels_are_drawn(panel: ForecastPanel) -> None:
    assert Outline(render(Report("t", "forecast", forecasts=(panel,)))).of("h3") == [panel.series]


def test_heat_maps_hold_one_pixel_a_value() -> None:
    gates = {"f": [[0.0, 1.0], [0.5, 1.0], [0.25, 0.75]], "c": [[-4.0, 0.0], [0.0, 4.0], [2.0, -2.0]]}
    trace = CellTrace("t", ((1,), (2,), (3,)), ("x",), gates, (5, 3), 8)  # type: ignore[arg-type]
    with drawing():
        _, forget, cell = cell_plot.paint(trace, SIZES[0]).axes
    pixels = np.asarray(forget.images[0].get_array())
    assert pixels.shape == (2, 3, 3)
    assert tuple(pixels[0, 0]) == cell_plot.BLUE[0]
    assert tuple(pixels[0, 1]) == cell_plot.BLUE[2]
    assert tuple(pixels[1, 0]) == cell_plot.BLUE[-1]
    state = np.asarray(cell.images[0].get_array())
    assert tuple(state[0, 0]) == cell_plot.ORANGE[-1]
    assert tuple(state[1, 1]) == cell_plot.BLUE[-1]
    assert tuple(state[0, 1]) == tuple(state[1, 0]) == (255, 255, 255)
    assert tuple(state[1, 2]) == cell_plot.ORANGE[2]
    assert [label.get_text() for label in forget.get_yticklabels()] == ["5", "3"]


def test_maps_of_all_gates_stand_under_the_input_they_answer_to() -> None:
    trace = forecast_report().cell
    assert trace is not None
    for size in SIZES:
        with drawing():
            axes = cell_plot.paint(trace, size).axes
        assert len(axes) == 5
        frames = [one.get_position() for one in axes]
        assert (
            len(
                {
                    (round(frame.x0, 6), round(frame.x1, 6), one.get_xlim())
                    for frame, one in zip(frames, axes, strict=True)
                }
            )
            == 1
        )
        assert all(upper.y0 > lower.y1 for upper, lower in pairwise(frames))


def test_missing_input_is_grey_and_explained() -> None:
    names = tuple("abcdefg")
    trace = CellTrace("t", ((None, *range(6)), tuple(range(7))), names, {"c": ((0,), (0,))}, (0,), 1)
    with drawing():
        first = cell_plot.paint(trace, SIZES[0]).axes[0]
    assert tuple(np.asarray(first.images[0].get_array())[0, 0]) == cell_plot.MISSING
    assert "Grey is missing." in render(Report("t", "classify", cell=trace))


@pytest.mark.parametrize(
    ("runs", "kept"),
    [
        ((Curve("a", (1.0,), (2.0,), 1),), "epoch 1."),
        (tuple(Curve(str(k), (3, 2), (), 2) for k in range(9)), "epoch 2."),
        ((Curve("a", (3, 2), (), 2), Curve("b", (3, 2), (), 1)), "epochs 2, 1."),
        (tuple(Curve(str(k), (3, 2, 1), (), 1 + k % 3) for k in range(9)), "between epochs 1 and 3."),
    ],
)
def test_training_tells_which_epoch_was_kept(runs: tuple[Curve, ...], kept: str) -> None:
    page = render(Report("t", "forecast", history=LossCurves(runs)))
    assert f"The dot marks the epoch whose weights were kept: {kept}" in page


def test_parts_that_are_missing_leave_no_heading() -> None:
    outline = Outline(render(Report("Bare", "forecast", history=LossCurves((Curve("stopped", ()),)))))
    assert outline.of("h1") == ["Bare"]
    assert outline.of("h2") == []


def test_long_sequences_and_many_classes_stay_small() -> None:
    rng = np.random.default_rng(0)
    steps, days = 20_000, 4_000
    gates = {name: rng.random((2_000, 64)) for name in "ifoc"}
    report = Report(
        "large",
        "forecast",
        forecasts=(
            ForecastPanel(
                "hours", tuple(range(steps)), tuple(rng.random(steps)), tuple(range(steps, steps + days)), (1.0,) * days
            ),
        ),
        confusion=ConfusionMatrix(tuple(map(str, range(62))), tuple(map(tuple, rng.integers(0, 9, (62, 62)).tolist()))),
        cell=CellTrace.most_active("t", rng.random((2_000, 3)), "abc", gates),
    )
    assert len(render(report).encode()) < 2_000_000


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    small = Report("first", "forecast")
    assert write_report(small, target) == target
    written = target.read_text(encoding="utf-8")
    assert written == render(small)

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(ConfigurationError, match=r"cannot write the report to .*No space left on device"):
        write_report(dataclasses.replace(small, title="second"), target)
    assert target.read_text(encoding="utf-8") == written
    assert list(tmp_path.iterdir()) == [target]


def test_writing_nowhere_says_so(tmp_path: Path) -> None:
    small = Report("t", "forecast")
    with pytest.raises(ConfigurationError, match="No such file or directory; give a file name in an existing"):
        write_report(small, tmp_path / "missing" / "report.html")
    with pytest.raises(ConfigurationError, match="Is a directory"):
        write_report(small, tmp_path)
    assert list(tmp_path.parent.glob(".*.tmp")) == []


def test_bytes_that_are_no_text_in_a_file_name_do_not_stop_the_report(tmp_path: Path) -> None:
    name = b"r\xffport.csv".decode("utf-8", "surrogateescape")
    assert "r&#56575;port.csv" in write_report(Report(name, "forecast"), tmp_path / "r.html").read_text(
        encoding="utf-8"
    )
