"""The catalogue as one page of Markdown: `docs/cells.md`, made from the cells themselves."""

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import dedent

import gatewise.cells as catalogue
from gatewise.cells.catalogue import Entry
from gatewise.equations import Step
from gatewise.equations.expr import weights
from gatewise.equations.program import compile
from gatewise.equations.schedule import Schedule, Stage

HEAD = """# Published cells

This page is made from the cells themselves: `gatewise cells --markdown > docs/cells.md`.

T time steps · B batch · X input features · H hidden units · P projected width · K memory blocks · S static attributes.
`W` matrices read inputs, `U` states; `b` is a bias, `p` a peephole. An apostrophe (in LaTeX the index t) marks a state
after the step. `⊙` multiplies unit by unit, `@` is a matrix product.

Stages are what a layer computes together: **before** the loop for all time steps at once, in the **loop** one time step
after the other, **after** it for all steps again. Matrices with a comma or a plus sign between them are one product (of
one operand, or a sum of products); the numbers count operations. The backward is derived from the equations, and
scheduled by the same rules.
"""

PARTS: tuple[tuple[str, str], ...] = (
    ("before", "before the loop"),
    ("loop", "each time step"),
    ("after", "after the loop"),
)


def page() -> str:
    """The page."""
    entries = [catalogue.entry(name) for name in catalogue.list()]
    rows = ["| cell | what it is | paper |", "|---|---|---|"]
    rows += [f"| [{entry.name}](#{entry.name}) | {entry.summary} | {entry.reference} |" for entry in entries]
    sections = ["\n".join(section(entry)) for entry in entries]
    return "\n\n".join([HEAD.strip(), "\n".join(rows), *sections]) + "\n"


def section(entry: Entry) -> Iterator[str]:
    """The lines on one cell."""
    step = entry.cell().trace()
    program = compile(step)
    yield from (f"## {entry.name}", "", f"`gatewise.cells.{entry.cell.__name__}`: {entry.summary}")
    for note in entry.notes:
        yield from ("", *_note(note))
    yield from ("", "**Equations**", "", "$$", step.latex(), "$$", "", "```text")
    yield from (line.strip() for line in str(step).splitlines()[1:-1])
    yield from ("```", "", "**Inputs, states, parameters**", "", "| | shape | names |", "|---|---|---|")
    yield from _shapes(step)
    yield from ("", "**Stages**", "", "```mermaid", "flowchart LR", *_diagram("forward", program.training))
    yield from (*_diagram("backward", program.reverse), "```", "", "```text")
    yield from (*_wrapped(str(program)), "```")


def _note(paragraph: str) -> list[str]:
    """A paragraph of a docstring; its list of attributes as a list of options."""
    head, _, rest = paragraph.partition("\n")
    if head not in ("Attributes:", "Raises:"):
        return paragraph.splitlines()
    if head == "Raises:":
        return []
    items = re.sub(r"\n {2,}", " ", dedent(rest)).splitlines()
    return ["Options:", "", *(f"- `{name}`:{text}" for name, _, text in (item.partition(":") for item in items))]


def _shapes(step: Step) -> Iterator[str]:
    """Rows of a table: names by kind and shape."""
    named: dict[tuple[str, str], list[str]] = {}

    def add(kind: str, name: str, *widths: str) -> None:
        named.setdefault((kind, f"[{', '.join(widths)}]"), []).append(f"`{name}`")

    for name, leaf in step.inputs.items():
        add("input", name, *([leaf.width] if leaf.width else []))
    for name, leaf in step.states.items():
        add("state (output)" if name == step.output else "state", name, str(leaf.width))
    for parameter in step.parameters.values():
        add("parameter", parameter.name, *parameter.shape)
    yield from (f"| {kind} | {shape} | {', '.join(names)} |" for (kind, shape), names in named.items())


def _diagram(title: str, plan: Schedule) -> Iterator[str]:
    """A subgraph of a flow chart: stages as boxes, one after the other."""
    stages: Mapping[str, Sequence[Stage]] = {"before": plan.before, "loop": plan.loop, "after": plan.after}
    yield f"  subgraph {title}"
    yield "    direction LR"
    last = None
    for part, name in PARTS:
        if not stages[part]:
            continue
        first = f"{title}_{part}_0"
        yield f'    subgraph {title}_{part}["{name}"]'
        boxes = [f'{title}_{part}_{k}["{_label(stage)}"]' for k, stage in enumerate(stages[part])]
        yield f"      {' --> '.join(boxes)}"
        yield "    end"
        if last is not None:
            yield f"    {last} --> {first}"
        last = f"{title}_{part}_{len(boxes) - 1}"
    yield "  end"


def _label(stage: Stage) -> str:
    count = len(stage.nodes)
    if stage.kind == "matmul":
        products = [
            ", ".join(" + ".join(f"{name}{'ᵀ' * (node.op == 'matmul_t')}" for name in weights(node)) for node in pack)
            for pack in stage.packs
        ]
        return "<br>".join(products)
    noun = "row operation" if stage.kind == "row" else "pointwise operation"
    return f"{count} {noun}{'s' * (count > 1)}"


def _wrapped(text: str) -> Iterator[str]:
    """Lines of at most 120 characters, broken at commas."""
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        while len(line) > 120:
            cut = line.rfind(", ", 0, 118) + 1
            if cut <= len(indent):
                break
            yield line[:cut]
            line = indent + line[cut + 1 :]
        yield line
