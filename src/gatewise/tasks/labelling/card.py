"""The model card of a labeller: the README.md of its folder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewise.tasks.classification.card import card_scores
from gatewise.version import __version__

if TYPE_CHECKING:
    from gatewise.tasks.labelling.labeller import Labeller

SAYS = {
    "labels": "a label at each time step",
    "values": "a value at each time step",
    "anomalies": "how surprising each time step is after those before it",
}


def reach(model: "Labeller") -> str:
    """How much of a sequence is behind the output of a step, in words."""
    if model.output == "anomalies":
        return "only from the steps before it"
    if model.look_ahead is None:
        return "from the whole sequence, before and after it"
    return f"from all steps up to {model.look_ahead} after it" if model.look_ahead else "from all steps up to it"


def model_card(model: "Labeller", metrics: Mapping[str, Any]) -> str:
    """The card's text: what the model is, what it was trained on, how well it does, how to use it."""
    preparation = model.preparation_
    names = preparation.channels or tuple(str(number) for number in range(preparation.n_channels))
    lines = [
        "# Labeller of time steps",
        "",
        f"A gatewise {__version__} labeller, which says {SAYS[model.output]}, {reach(model)}:",
        f"an LSTM network of {model.hidden_size} cells a direction in {model.num_layers} layer(s), seed {model.seed}.",
        f"Trained on {int(model.counts_.sum())} labelled steps.",
        "",
        f"- channels: {', '.join(names)}",
    ]
    if model.output == "labels":
        lines.append(
            f"- labels: {', '.join(f'{k} ({n} steps)' for k, n in zip(model.classes_, model.counts_, strict=True))}"
        )
    if model.output == "anomalies":
        lines.append(f"- alarm: scores above {model.surprise_.threshold:.4g}")
    return "\n".join(
        [
            *lines,
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
            "`gatewise predict THIS_FOLDER DATA --out FILE`, or in Python",
            "`gatewise.tasks.load(THIS_FOLDER).predict(X)`.",
            "Sequences unlike those of training (other sensors, units, sampling rates) will be labelled all the same,",
            "and wrongly.",
            "",
        ]
    )
