"""`gatewise train ... --dry-run`: what would be trained, and what that takes."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from gatewise.cli.output import print_facts, print_json
from gatewise.cli.run import Order

if TYPE_CHECKING:
    from gatewise.training import Plan


def show_plan(plan: "Plan", order: Order, as_json: bool) -> int:
    """Print a plan; the exit code."""
    if as_json:
        print_json({"task": order.task, "data": str(order.data), **asdict(plan)})
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in ("layer", "output of a batch", "parameter", "shape"):
        table.add_column(name)
    table.add_column("numbers", justify="right")
    for layer in plan.layers:
        name = f"{layer.name} ({layer.kind})" if layer.name else layer.kind
        first = [name, "" if layer.output is None else _shape(layer.output)]
        for parameter, shape in layer.parameters.items():
            table.add_row(*first, parameter, _shape(shape), f"{math.prod(shape):,}")
            first = ["", ""]
    Console(highlight=False).print(table)
    print_facts(
        {
            "first network": f"{plan.parameters:,} parameters",
            "epochs": f"at most {plan.max_epochs}, of {plan.batches} batches",
            "memory": f"{_megabytes(plan.state_bytes)} for weights, gradients, moments and copies, "
            f"{_megabytes(plan.batch_bytes)} for what the gradient of a batch needs",
            "time": f"about {plan.seconds_per_epoch:.2g} s an epoch, going by a few batches and one validation",
            "trained": "nothing",
        }
    )
    return 0


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
