"""The model card of a generator: the README.md of its folder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewise import cells
from gatewise.tasks.generation.symbols import TextSymbols
from gatewise.version import __version__

if TYPE_CHECKING:
    from gatewise.tasks.generation.generator import Generator


def model_card(model: "Generator", metrics: Mapping[str, Any]) -> str:
    """The card's text: what the model is, what it was trained on, how well it does, how to use it."""
    entry = cells.entry(model.cell)
    symbols = model.symbols_
    if isinstance(symbols, TextSymbols):
        what = f"{symbols.size - 1} {model.unit}"
        shown = " ".join(symbol.replace("\n", "(line break)").replace(" ", "(space)")
                         for symbol in symbols.vocabulary.symbols[1:101])  # fmt: skip
    else:
        what, shown = f"{symbols.size} events, several at a time", " ".join(symbols.names[:100])
    lines = [
        "# Generator",
        "",
        f"A gatewise {__version__} generator: it says what comes next. {model.num_layers} x {model.hidden_size} units "
        f'of the cell "{model.cell}", trained by truncated backpropagation with carried states on {model.trained_on_}, '
        f"seed {model.seed}.",
        "",
        f"- cell: {entry.summary} {entry.reference}",
        f"- {what}: {shown}{' ...' if symbols.size > 100 else ''}",
        f"- truncation: {model.chunk} steps from update to update, gradients over {model.reach or model.chunk} "
        "(Williams & Peng 1990)",
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
        "`gatewise generate THIS_FOLDER --length 500`, or in Python `gatewise.load(THIS_FOLDER).generate(length=500)`.",
        "It continues in the manner of what it was trained on, and knows nothing: what it writes may be false, or the",
        "training data word by word.",
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
