"""The model card of a transcriber: the README.md of its folder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewise.tasks.transcription.backbones import BACKBONES
from gatewise.version import __version__

if TYPE_CHECKING:
    from gatewise.tasks.transcription.transcriber import Transcriber

RECORDINGS = {
    "frames": "arrays of frames [T, X]",
    "image": "images of single lines",
    "ink": "strokes of a pen",
    "audio": "recordings of sound",
}


def model_card(model: "Transcriber", metrics: Mapping[str, Any]) -> str:
    """The card's text: what the model is, what it was trained on, how well it does, how to use it."""
    found = BACKBONES[model.backbone_]
    symbols = model.vocabulary_.symbols[1:]
    lines = [
        "# Transcriber",
        "",
        f"A gatewise {__version__} transcriber: from {RECORDINGS[model.front_end_.kind]} to text. Network "
        f'"{model.backbone_}", trained with connectionist temporal classification on {model.trained_on_} sequences, '
        f"seed {model.seed}.",
        "",
        f"- network: {found.paper}",
        f"- {model.unit}: {' '.join(symbols[:100])}{' ...' if len(symbols) > 100 else ''} ({len(symbols)})",
        f"- frames that become one step: {model.subsampling_}",
        "",
        "## What was found",
        "",
        *(f"- {note}" for note in model.notes_),
        "",
        "## Scores",
        "",
        *(_scores(metrics) or ["none measured"]),
        "",
        "## Use",
        "",
        "`gatewise predict THIS_FOLDER FILE...`, or in Python `gatewise.load(THIS_FOLDER).predict([FILE, ...])`.",
        "Recordings unlike those of training (another hand, pen, voice, microphone) will be read all the same, and",
        "worse; symbols that were not in training's texts are never written.",
        "",
    ]
    return "\n".join(lines)


def _scores(metrics: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            lines += _scores(value, f"{prefix}{name} ")
        elif isinstance(value, (int, float)):
            lines.append(f"- {prefix}{name}: {value:.4g}")
    return lines
