"""Recordings and confidences in a report: what fits together, where symbols stand, and that names stay text."""

from dataclasses import replace
from typing import Any

import pytest
from sample_reports import reading, transcribe_report

from gatewise.errors import ConfigurationError
from gatewise.reports import CalibrationBins, Report, render
from gatewise.reports.calibration_plot import paint
from gatewise.reports.canvas import SIZES
from gatewise.reports.reading_plot import place_of

LINE = reading("a.png", "12", "12", 40, 8, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"picture": ()}, "at least one frame"),
        ({"stride": 0}, "a stride of at least 1"),
        ({"stride": 2}, "expected 20 entries in posteriors, as in the frames, got 10"),
        ({"curves": ("1",)}, "expected 2 entries in a row of posteriors"),
        ({"posteriors": ((0.5, 0.5, 1.5),) * 10}, "probabilities from 0 to 1, got 1.5"),
        ({"picture": ((0.0,), (0.0, 1.0)) * 20}, "expected 1 entries in a frame"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        replace(LINE, **change)


def test_readings_turn_into_json_and_back() -> None:
    report = transcribe_report()
    assert Report.from_dict(report.to_dict()) == report


def test_symbols_stand_over_their_frames() -> None:
    for size in SIZES:
        places = [place_of(LINE, frame, size) for frame in (0, 20, 40)]
        assert 0 < places[0] < places[1] < places[2] < 1
        assert places[1] - places[0] == pytest.approx(places[2] - places[1])


def test_names_and_symbols_are_escaped() -> None:
    page = render(Report("x", "transcribe", readings=(reading("<i>.png", "<&", "<b>", 40, 8, 0),)))
    assert "&lt;i&gt;.png" in page
    assert "<i>" not in page
    assert page.count(">&lt;</span>") == page.count(">&amp;</span>") == 2  # one for each size
    assert "it says &quot;&lt;b&gt;&quot;" in page


def test_confidences_stand_beside_how_often_they_are_right() -> None:
    bins = CalibrationBins((0.3, 0.9), (0.5, 0.8), (10, 1000), 0.101)
    page = render(Report("x", "transcribe", calibration=bins))
    assert "10.1 points of 100" in page
    assert '<tr><th scope="row">0.30</th><td>0.50</td><td>10</td></tr>' in page
    assert "1,010 texts" in page
    (axes,) = paint(bins, SIZES[0]).axes
    drawn = {(line.get_marker(), *map(tuple, line.get_xydata().tolist())): line for line in axes.get_lines()}
    assert ("None", (0.3, 0.3), (0.3, 0.5)) in drawn  # how far it is off
    dots = [drawn["o", (0.3, 0.5)].get_markersize(), drawn["o", (0.9, 0.8)].get_markersize()]
    assert 0 < dots[0] < dots[1]
    assert "Confidences" not in render(Report("x", "transcribe"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (((), (), (), 0.0), "at least one text each"),
        (((0.5,), (0.5,), (0,), 0.0), "at least one text each"),
        (((0.5, 0.6), (0.5,), (1,), 0.0), "expected 1 entries in confidence, as in count, got 2"),
        (((0.5,), (1.5,), (1,), 0.0), "accuracy from 0 to 1, got 1.5"),
        (((float("nan"),), (0.5,), (1,), 0.0), "confidence from 0 to 1, got None"),
    ],
)
def test_confidences_that_do_not_fit_are_refused(values: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CalibrationBins(*values)
