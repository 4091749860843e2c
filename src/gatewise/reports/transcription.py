"""The report of a transcriber, from what it offers in public."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gatewise.reports.calibration import CalibrationBins
from gatewise.reports.content import ConfusionMatrix, Report
from gatewise.reports.history import loss_curves
from gatewise.reports.reading import Reading, ReadSymbol
from gatewise.reports.scores import metrics_table
from gatewise.tasks.transcription import Comparison, Transcriber, Transcription
from gatewise.tasks.transcription.examples import Examples

SHOWN, CURVES = 8, 12  # recordings, and symbols of each whose curves are drawn
LONGEST = 1200  # frames of a recording that is shown
CLASSES = 40  # symbols of a confusion matrix at most


def transcription_report(transcriber: Transcriber, X: Any = None, y: Any = None) -> Report:
    """How a fitted transcriber was trained, and with data how it reads them.

    Args:
        transcriber: fitted.
        X: recordings in any form `Transcriber` takes; None for a report of the training alone.
        y: one text a recording; may be left out where X brings texts. Without any the report shows recordings, and
            holds no scores of X.

    Raises:
        DataError: X or y do not fit the model.
    """
    scores: dict[str, Any] = {}
    where, confusion, readings, bins = "the recordings that training held out", None, (), None
    if "error_rate" in transcriber.validation_:
        scores = {"per" if transcriber.unit == "tokens" else "cer": transcriber.validation_["error_rate"]}
    if X is not None:
        examples = transcriber.examples(X, y)
        if examples.texts is None:
            readings = _readings(transcriber, examples, transcriber.transcribe(examples), None)
        else:
            compared = transcriber.compare(examples)
            scores, where = compared.metrics(), f"{len(examples)} recordings given to this report"
            confusion, bins = _confusion(compared), _calibration(compared)
            readings = _readings(transcriber, examples, compared.found, compared.right)
    return Report(
        title="Recordings read",
        task="transcribe",
        metrics=metrics_table(scores, ""),
        subtitle=f"Measured on {where}." if scores else "Nothing was held out of the training, so there are no scores.",
        facts=_facts(transcriber),
        notes=tuple(transcriber.notes_),
        history=loss_curves(transcriber.history_, loss="Training loss (CTC, nats a symbol)"),
        confusion=confusion,
        readings=readings,
        calibration=bins,
    )


def _facts(transcriber: Transcriber) -> tuple[tuple[str, str], ...]:
    return (
        ("Training recordings", f"{transcriber.trained_on_:,}"),
        ("Symbols", f"{len(transcriber.vocabulary_) - 1} {transcriber.unit}"),
        ("Features of a frame", str(transcriber.n_features_in_)),
        ("Network", transcriber.backbone_),
        ("Frames a step", str(transcriber.subsampling_)),
        ("Seed", str(transcriber.seed)),
    )


def _calibration(compared: Comparison) -> CalibrationBins:
    found = compared.calibration()
    return CalibrationBins(
        tuple(found.confidence.round(4).tolist()),
        tuple(found.accuracy.round(4).tolist()),
        tuple(found.count.tolist()),
        round(found.error, 4),
    )


def _confusion(compared: Comparison) -> ConfusionMatrix | None:
    names, counts = compared.confusion()
    if len(names) > CLASSES:
        return None
    shown = [{"": "(none)", " ": "(space)"}.get(name, name) for name in names]
    return ConfusionMatrix(tuple(shown), tuple(map(tuple, counts.tolist())))


def _readings(
    transcriber: Transcriber, examples: Examples, found: Sequence[Transcription], right: np.ndarray | None
) -> tuple[Reading, ...]:
    """Some recordings, of which half have errors where there are so many: of these there is something to be seen."""
    short: list[int] = np.flatnonzero(examples.frames.lengths <= LONGEST).tolist()
    wrong = [] if right is None else [k for k in short if not right[k]]
    fine = [k for k in short if k not in set(wrong)]
    half = max(SHOWN // 2, SHOWN - len(fine))
    chosen = sorted([*wrong[:half], *fine[: SHOWN - min(len(wrong), half)]])
    if not chosen:
        return ()
    kept = examples.select(np.array(chosen))
    posteriors = transcriber.posteriors(kept)
    return tuple(_reading(transcriber, kept, place, found[k], posteriors[place]) for place, k in enumerate(chosen))


def _reading(
    transcriber: Transcriber, examples: Examples, place: int, found: Transcription, posteriors: np.ndarray
) -> Reading:
    frames = examples.frames[place].astype(np.float64)
    low, high = frames.min(), frames.max()
    picture = np.round((frames - low) / (high - low if high > low else 1.0), 3)
    curves = tuple(dict.fromkeys(symbol.text for symbol in found.symbols))[:CURVES]
    columns = [0, *(transcriber.vocabulary_.symbols.index(name) for name in curves)]
    truth = "" if examples.texts is None else transcriber.vocabulary_.form(examples.texts[place])
    return Reading(
        name=examples.names[place],
        read=found.text,
        truth=truth,
        confidence=found.confidence,
        picture=_rows(picture),
        symbols=tuple(ReadSymbol(symbol.text, symbol.start, symbol.end) for symbol in found.symbols),
        curves=curves,
        posteriors=_rows(np.round(posteriors[:, columns].astype(np.float64), 4)),
        stride=transcriber.subsampling_,
        upright=transcriber.front_end_.kind == "audio",
        seconds=transcriber.front_end_.seconds or 0.0,
    )


def _rows(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    rows: Sequence[Sequence[float]] = values.tolist()
    return tuple(map(tuple, rows))
