"""The report of a generator, from what it offers in public."""

from typing import Any

from gatewise.reports.content import Report
from gatewise.reports.history import loss_curves
from gatewise.reports.scores import metrics_table
from gatewise.tasks.generation import Generator

SAMPLE = 400  # symbols, or a tenth as many frames, that are shown


def generation_report(generator: Generator, X: Any = None) -> Report:
    """How a fitted generator was trained, how well it foretells documents, and what it writes.

    Args:
        generator: fitted.
        X: documents in any form `Generator` takes; None for a report of the training alone.

    Raises:
        DataError: X does not fit the model.
    """
    scores: dict[str, Any] = dict(generator.validation_)
    where = "what training held out"
    if X is not None:
        scores = generator.evaluate(X)
        where = f"{scores['documents']} documents given to this report"
    events = generator.unit == "events"
    return Report(
        title="What comes next",
        task="generate",
        metrics=metrics_table(scores, generator.baseline_name_),
        subtitle=f"Measured on {where}." if scores else "Nothing was held out of the training, so there are no scores.",
        facts=_facts(generator),
        notes=(*generator.notes_, _sample(generator)),
        history=loss_curves(generator.history_, loss=f"Training loss (nats a {'frame' if events else 'symbol'})"),
    )


def _facts(generator: Generator) -> tuple[tuple[str, str], ...]:
    return (
        ("Trained on", generator.trained_on_),
        ("Symbols", f"{generator.symbols_.size} {'events' if generator.unit == 'events' else generator.unit}"),
        ("Network", f"{generator.num_layers} x {generator.hidden_size} units, cell {generator.cell}"),
        ("Steps an update", str(generator.chunk)),
        ("Steps a gradient reaches", str(generator.reach or generator.chunk)),
        ("Seed", str(generator.seed)),
    )


def _sample(generator: Generator) -> str:
    """A few lines that it writes, always the same ones."""
    if generator.unit == "events":
        frames = generator.generate(length=SAMPLE // 10)
        return "It plays, with seed 0: " + " | ".join(" ".join(frame) or "-" for frame in frames)
    return f"It writes, with seed 0 and temperature 0.8: {generator.generate(length=SAMPLE, temperature=0.8)}"
