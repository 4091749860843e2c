"""Reports in a real browser: console, network, layout and colours on a phone and on a desk."""

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from chromium_page import Chromium, Page
from sample_reports import classify_report, forecast_report, transcribe_report

from gatewise.reports import ConfusionMatrix, ForecastPanel, Metric, MetricsTable, Report, write_report

HEADINGS = {
    "forecast": ["Results", "Forecast", "Training", "A look into the cell"],
    "classify": ["Results", "Classes", "Training", "A look into the cell"],
    "transcribe": ["Results", "Recordings", "Confidences", "Training"],
}
# (figures, images in them): forecast, two curves, the cell with i f o c; an input of many channels is an image too, and
# so is each recording.
DRAWN = {"forecast": (4, 4), "classify": (3, 5), "transcribe": (6, 3)}

LAYOUT = """(() => {
  const box = e => e.getBoundingClientRect();
  document.querySelectorAll("details").forEach(e => { e.open = true; });
  const seen = [...document.querySelectorAll("svg")].filter(e => getComputedStyle(e).display !== "none");
  const outside = seen.flatMap(svg => [...svg.querySelectorAll("text")].filter(t => {
    const a = box(svg), b = box(t);
    return b.left < a.left - 1 || b.right > a.right + 1 || b.top < a.top - 1 || b.bottom > a.bottom + 1;
  })).map(t => t.textContent);
  return {
    title: document.title,
    headings: [...document.querySelectorAll("h2")].map(e => e.textContent),
    page: document.documentElement.scrollWidth,
    window: innerWidth,
    figures: seen.map(e => [box(e).width, box(e).height]),
    images: seen.flatMap(e => [...e.querySelectorAll("image")]).map(e => [box(e).width, box(e).height]),
    outside: outside,
    smallest: Math.min(...seen.flatMap(e => [...e.querySelectorAll("text")].map(t => box(t).height))),
    ink: getComputedStyle(seen[0].querySelector("text")).fill,
    scrolling: [...document.querySelectorAll(".scroll")].every(e => box(e).right <= innerWidth),
  };
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    binary = shutil.which("chromium")
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: install Debian's package chromium")
        pytest.skip("chromium is missing (Debian's package chromium); with CI set this fails")
    running = Chromium(binary, tmp_path_factory.mktemp("chromium"))
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reports")
    write_report(forecast_report(), path / "forecast.html")
    write_report(classify_report(), path / "classify.html")
    write_report(transcribe_report(), path / "transcribe.html")
    return path


def brightness(page: Page) -> tuple[float, int]:
    """Mean brightness (0 to 1) and number of distinct colours of a screenshot."""
    pixels = matplotlib.image.imread(io.BytesIO(page.screenshot()))[..., :3]
    colours = np.unique(np.rint(pixels * 255).astype(np.int64) @ (1 << 16, 1 << 8, 1))
    return float(pixels.mean()), len(colours)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("task", list(DRAWN))
def test_report_in_a_browser(browser: Chromium, folder: Path, task: str, width: int, dark: bool) -> None:
    file = folder / f"{task}.html"
    page = browser.open(file, width, dark=dark)
    layout = page.evaluate(LAYOUT)
    mean, colours = brightness(page)

    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("data:image/")] == [file.as_uri()]
    assert layout["headings"] == HEADINGS[task]
    assert layout["page"] <= width
    assert layout["window"] == width
    figures, images = DRAWN[task]
    assert len(layout["figures"]) == figures
    assert len(layout["images"]) == images
    assert all(across > 280 and down > 180 for across, down in layout["figures"])
    assert all(across > 200 and down > 40 for across, down in layout["images"])
    assert layout["outside"] == []
    assert layout["smallest"] > 9
    assert layout["scrolling"]
    assert layout["ink"] == ("rgb(154, 166, 177)" if dark else "rgb(92, 102, 112)")
    assert mean < 0.3 if dark else mean > 0.8
    assert colours > 300


@pytest.mark.parametrize("width", [320, 800])
def test_long_names_do_not_widen_the_page(browser: Chromium, tmp_path: Path, width: int) -> None:
    long = "Donaudampfschifffahrtsgesellschaft" * 4
    metrics = MetricsTable((long, "b"), tuple(Metric(f"{long} {k}") for k in range(6)), ((1,) * 6, (2,) * 6))
    series = ForecastPanel(
        long, (1,), (1,), (2, 3), (1, 2), baseline=(2, 2), baseline_name=long, target=long, unit=long
    )
    wide = ConfusionMatrix(tuple(f"{long} {k}" for k in range(30)), tuple((k,) * 30 for k in range(30)))
    told = Report(long, "classify", metrics, long, ((long, long),), (long,), None, (series,), wide)
    page = browser.open(write_report(told, tmp_path / "long.html"), width)
    layout = page.evaluate(LAYOUT)
    assert page.complaints == []
    assert layout["page"] <= width
    assert layout["scrolling"]
    assert layout["outside"] == []


def test_the_browser_notices_what_is_wrong(browser: Chromium, tmp_path: Path) -> None:
    """The checks above can fail: an error, a request and an overflow are seen."""
    bad = tmp_path / "bad.html"
    bad.write_text("<img src='missing.png'><div style='width:900px'>x</div><script>throw Error('no')</script>")
    page = browser.open(bad, 390)
    assert page.evaluate("document.documentElement.scrollWidth") > 390
    assert any("missing.png" in url for url in page.requests)
    assert any("no" in complaint for complaint in page.complaints)
    assert any("ERR_FILE_NOT_FOUND" in complaint for complaint in page.complaints)
