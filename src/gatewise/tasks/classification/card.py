"""The model card of a classifier: the README.md of its folder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewise.version import __version__

if TYPE_CHECKING:
    from gatewise.tasks.classification.classifier import Classifier


def model_card(model: "Classifier", metrics: Mapping[str, Any]) -> str:
    """The card's text: what the model is, what it was trained on, how well it does, how to use it."""
    direction = "bidirectional" if model.bidirectional else "forward"
    preparation = model.committee_.members[0].preparation
    names = preparation.channels or tuple(str(number) for number in range(preparation.n_channels))
    lines = [
        "# Sequence classifier",
        "",
        f"A gatewise {__version__} classifier: {len(model.committee_.members)} {direction} LSTM networks "
        f"of {model.hidden_size} cells a direction in {model.num_layers} layer(s), averaged.",
        f"Trained on {model.class_counts_.sum()} sequences, seed {model.seed}.",
        "",
        f"- channels: {', '.join(names)}",
        f"- classes: {', '.join(f'{k} ({n})' for k, n in zip(model.classes_, model.class_counts_, strict=True))}",
        "",
        "## What was found",
        "",
        *(f"- {note}" for note in model.notes_),
        "",
        "## Scores",
        "",
        *(card_scores(metrics) or ["none measured"]),
        "",
        "## Use",
        "",
        "`gatewise predict THIS_FOLDER DATA --out FILE`, or in Python `gatewise.tasks.load(THIS_FOLDER).predict(X)`.",
        "Sequences unlike those of training (other sensors, units, sampling rates) will be classified all the same,",
        "and wrongly: the probabilities are those of training's classes alone.",
        "",
    ]
    return "\n".join(lines)


def card_scores(metrics: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Numbers of nested metrics, a line each."""
    lines = []
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            lines += card_scores(value, f"{prefix}{name} ")
        elif isinstance(value, (int, float)):
            lines.append(f"- {prefix}{name}: {value:.4g}")
    return lines
