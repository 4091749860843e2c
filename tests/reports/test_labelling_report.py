"""Reports of labellers: what they score, and what they draw."""

import numpy as np
import pytest

from gatewise.errors import ConfigurationError
from gatewise.reports import Report, Track, render
from gatewise.reports.labelling import labelling_report
from gatewise.tasks import Labeller

RNG = np.random.default_rng(0)
X = [np.repeat(RNG.integers(0, 2, 4), 5)[:, None] + 0.1 * RNG.normal(size=(20, 1)) for _ in range(12)]
Y = [np.where(x[:, 0] > 0.5, "<b>high", "low") for x in X]


def test_labels_are_scored_and_drawn_under_their_sequences() -> None:
    model = Labeller(4, max_epochs=2, threads=1).fit(X, Y)
    missing = [np.where(np.arange(20) == 3, "", y) for y in Y]
    report = labelling_report(model, X, missing)
    assert report.metrics is not None
    assert report.metrics.rows == ("gatewise", f"{model.baseline_name_}")
    assert report.metrics.values[0][0] == model.evaluate(X, missing)["accuracy"]
    assert report.confusion is not None
    assert sum(map(sum, report.confusion.counts)) == 12 * 19
    track = report.tracks[0]
    assert track.labels == ("<b>high", "low")
    assert track.truth[3] == -1
    assert [track.labels[k] for k in track.predicted] == model.predict(X[:1])[0].tolist()
    page = render(report)
    assert "<b>high" not in page
    assert "&lt;b&gt;high" in page
    assert Report.from_dict(report.to_dict()) == report


def test_what_was_trained_on_is_shown_and_not_scored() -> None:
    model = Labeller(4, max_epochs=2, threads=1).fit(X, Y)
    report = labelling_report(model, X, Y, scored=False)
    assert "held out" in report.subtitle
    assert report.confusion is None
    assert len(report.tracks) == 4


def test_values_and_scores_of_anomalies_are_curves() -> None:
    values = [x[:, 0] * 2 for x in X]
    report = labelling_report(Labeller(4, output="values", max_epochs=2, threads=1).fit(X, values), X, values)
    assert report.tracks[0].true_values == tuple(values[0])
    assert "<svg" in render(report)
    model = Labeller(4, output="anomalies", max_epochs=2, threads=1).fit(X)
    report = labelling_report(model, X, [np.arange(20) == 7 for _ in X])
    assert report.tracks[0].threshold == model.surprise_.threshold
    assert report.tracks[0].truth[7] == 1
    assert "<svg" in render(report)


def test_a_track_whose_parts_do_not_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected numbers of 1 labels, or -1, got 1"):
        Track("a", ((0.0,), (1.0,)), ("x",), "label", labels=("low",), predicted=(0, 1))
