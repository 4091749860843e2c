"""`gatewise train ... --find-learning-rate`: a range test, as bars and a suggestion."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from gatewise.cli.output import print_facts, print_json
from gatewise.cli.run import Order

if TYPE_CHECKING:
    from gatewise.training import LearningRates

LINES, WIDTH = 20, 48


def show_rates(found: "LearningRates", order: Order, as_json: bool) -> int:
    """Print a range test; the exit code."""
    if as_json:
        print_json({"task": order.task, "data": str(order.data), **asdict(found)})
        return 0
    print(f"{'learning rate':>13}  {'loss':>10}")
    every = max(1, len(found.rates) // LINES)
    shown = sorted({*range(0, len(found.rates), every), found.rates.index(found.suggested), len(found.rates) - 1})
    low, high = min(found.averages), max(found.averages)
    for k in shown:
        bar = "#" * (1 + round((WIDTH - 1) * (found.averages[k] - low) / max(high - low, 1e-12)))
        mark = " <- suggested" if found.rates[k] == found.suggested else ""
        print(f"{found.rates[k]:>13.2g}  {found.averages[k]:>10.4g}  {bar}{mark}")
    end = "the loss had grown to three times its lowest" if found.diverged else "at the highest rate that is tried"
    print_facts(
        {
            "suggested": f"--learning-rate {found.suggested:.2g}, where the loss falls fastest",
            "ended": f"after {len(found.rates)} steps, {end}",
            "trained": "nothing",
        }
    )
    return 0
