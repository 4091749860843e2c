"""Mutation check of the derivation: breaks it in one place after the other, and shows that a test fails for each.

    make mutants

Mutants of two kinds. Each derivative rule of the tables is broken for each operand: negated, left out, doubled,
replaced by the adjoint as it came (its factor dropped), or let flow where no gradient flows; two tests run, apart from
each other: the rule against autograd, and random cells against a plain loop. And lines of the source are changed, one
at a time; the tests named beside the line run. Each mutant lives in a process of its own, and the same tests run first
with nothing broken. Prints a table; exits with 1 if a mutant survives that is not explained here, or if an explained
one does not.
"""

import contextlib
import importlib.machinery
import io
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a process that has used a device cannot be forked
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

# Whatever is heavy and not ours is imported once, before processes are forked.
import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

RANDOM_CELLS = 400


@dataclass(frozen=True)
class Line:
    """A change of one place in the source, and the tests that should see it."""

    module: str
    old: str
    new: str
    tests: str


# The core has its own way with lengths and resets: on the reference they are transforms.
TOGETHER = "backends/test_again_on_the_reference.py::test_nn_transforms_together_each_stretch_is_a_sequence_of_its_own"
LINES: dict[tuple[str, str], list[tuple[str, str]]] = {  # by module and tests
    ("equations.grad", "equations/test_grad.py"): [
        (
            ("known + gradient"),
            ("gradient"),
        ),
        (
            ("gradient = total(gradient)"),
            ("pass"),
        ),
        (
            ("transposed([str(node.attr)], [gradient], str(operand.width))"),
            ("operand"),
        ),
        (
            ("fixed=order)"),
            ("fixed=())"),
        ),
        (
            ("give(update, carried[name])"),
            ("pass"),
        ),
        (
            ("set(inputs) - step.undifferentiated"),
            ("set(inputs)"),
        ),
    ],
    ("equations.simplify", "equations/test_simplify.py"): [
        (
            ('pointwise("sub", a, b.args[0])'),
            ('pointwise("add", a, b.args[0])'),
        ),
        (
            ('pointwise("sub", b, a.args[0])'),
            ('pointwise("sub", a.args[0], b)'),
        ),
        (
            ("    if _is(a, 0):\n        return _negated(b)"),
            ("    if _is(a, 0):\n        return b"),
        ),
        (
            ("return _negated(other)"),
            ("return other"),
        ),
        (
            ("if _is(one, 1):\n            return other"),
            ("if _is(one, 1):\n            return one"),
        ),
        (
            ("if _is(one, -1):"),
            ("if _is(one, 0):\n            return one\n        if _is(one, -1):"),
        ),
        (
            ('pointwise("sub", a.args[1], a.args[0])'),
            ("a"),
        ),
        (
            ("a if condition.attr != 0 else b"),
            ("b if condition.attr != 0 else a"),
        ),
        (
            ("chosen if chosen.width == node.width else node"),
            ("chosen"),
        ),
        (
            ("node if value != value else constant(value)"),
            ("constant(0.0)"),
        ),
    ],
    ("equations.schedule", "equations/test_schedule.py"): [
        (
            ("late[node] = min("),
            ("late[node] = early[node] or min("),
        ),
        (
            ("min(late[member] for member in placed)"),
            ("late[node]"),
        ),
        (
            ("level - level % 2 - barrier for"),
            ("level - barrier for"),
        ),
        (
            ("level + 1 + level % 2 for"),
            ("level + 1 for"),
        ),
        (
            ("node in stateful and node in needed]"),
            ("node in stateful]"),
        ),
        (
            ("node in stateful and node in needed]"),
            ("node in needed]"),
        ),
        (
            (' or (node.op == "rstd" and node.args in divided)'),
            (""),
        ),
        (
            ('ahead |= {node for node in computed if node.op == "rstd" and node.args in divided}'),
            ("pass"),
        ),
        (
            ('"normalise" if node.op == "rstd" else node.op'),
            ("node.op"),
        ),
        (
            ("node in read and node in timed and"),
            ("node in read and"),
        ),
        (
            ("(node.args, node.op), []).append(node)\n        return tuple"),
            ("(node.args, node.attr), []).append(node)\n        return tuple"),
        ),
    ],
    ("equations.program", "equations/test_program.py"): [
        (
            ('if node.op == "rstd" and forward.issuperset(node.args)'),
            ("if False"),
        ),
        (
            ("node in free or"),
            (""),
        ),
        (
            ("or TABLE[node.op].costly"),
            (""),
        ),
        (
            ("unique.setdefault(expr, name)"),
            ("unique[expr] = name"),
        ),
    ],
    ("equations.transform", "equations/test_transform.py"): [
        (
            ("where(valid, update, step.states[name])"),
            ("where(valid, step.states[name], update)"),
        ),
        (
            ("where(reset, _initial(step, name), leaf)"),
            ("where(reset, constant(0), leaf)"),
        ),
        (
            ("old + (1 - rate) * (new - old)"),
            ("old + rate * (new - old)"),
        ),
        (
            ("updates[name] = where(mask, new, old)"),
            ("updates[name] = where(mask, old, new)"),
        ),
        (
            ("{leaf: leaf * mask})\n"),
            ("{leaf: leaf})\n"),
        ),
        (
            ('if operand.op == "state" or node.args[0] in reached:'),
            ('if operand.op == "state":'),
        ),
        (
            ("by_width = [product for product in pack if product.width == node.width]"),
            ("by_width = [pack[0]]"),
        ),
        (
            ("if node in net and node in used:"),
            ("if node in net:"),
        ),
        (
            ("step.undifferentiated | added.keys()"),
            ("step.undifferentiated"),
        ),
    ],
    ("nn.variants", TOGETHER): [
        (
            (
                "    if resets:\n"
                "        step = transform.resets(step)\n"
                "    return transform.padding(step) if padding else step"
            ),
            (
                "    if padding:\n"
                "        step = transform.padding(step)\n"
                "    return transform.resets(step) if resets else step"
            ),
        ),
        (
            (
                "    if chosen.zoneout:\n"
                "        step = transform.zoneout(step, dict(chosen.zoneout), training)\n"
                "    if resets:\n"
                "        step = transform.resets(step)"
            ),
            (
                "    if resets:\n"
                "        step = transform.resets(step)\n"
                "    if chosen.zoneout:\n"
                "        step = transform.zoneout(step, dict(chosen.zoneout), training)"
            ),
        ),
    ],
    ("nn.padding", "testing/test_check_cell.py::test_published_cells_pass[elman]"): [
        (
            ("return torch.where(valid != 0, value, first.detach())"),
            ("return value"),
        ),
    ],
    ("nn.padding", TOGETHER): [
        (
            ("(times < lengths.to(x.device))"),
            ("(times <= lengths.to(x.device))"),
        ),
        (
            ("forward.roll(-1, 0) * inner"),
            ("forward"),
        ),
    ],
    ("nn.padding", "nn/test_recurrent_errors.py"): [
        (
            ("first = torch.where(some, value[0],"),
            ("first = torch.where(some, 0 * value[0],"),
        ),
    ],
    ("backends.reference", "backends/test_scan.py"): [
        (
            ("turns[::-1] if backwards else turns"),
            ("turns"),
        ),
    ],
    ("backends.reference", "equations/test_random_cells.py"): [
        (
            ("known + part"),
            ("part"),
        ),
    ],
    ("backends.plan", "backends/test_layer_scan.py::test_sums_whose_first_product_is_read_elsewhere"): [
        (
            ("if users.get(other) != total or other in self.ends:"),
            ("if other in self.ends:"),
        ),
        (
            ("and users.get(first) == [other]"),
            ("and True"),
        ),
        (
            ("if len(packs) != 1 or any("),
            ("if any("),
        ),
    ],
    ("backends.plan", "backends/test_layer_scan.py::test_sums_of_more_than_two_products_count_each_once"): [
        (
            ("if arg in ahead and arg not in taken"),
            ("if arg in ahead"),
        ),
    ],
    ("backends.plan", "backends/test_cpu.py"): [
        (
            ("place[node] = min(place[reader] for reader in readers)"),
            ("place[node] = max(place[reader] for reader in readers)"),
        ),
        (
            ('if home != "loop" or expr in self.factors:'),
            ('if home != "loop":'),
        ),
        (
            ('last = len(arguments) if nodes[0].op == "normalise" else 0'),
            ("last = 0"),
        ),
    ],
    ("backends.operators", "backends/test_scan.py"): [
        (
            ("[after[1:], first.unsqueeze(0)] if reverse else"),
            ("[first.unsqueeze(0), after[:-1]] if reverse else"),
        ),
        (
            ("backwards=not reverse"),
            ("backwards=reverse"),
        ),
        (
            ("zip(program_of(text).sequences, sequences"),
            ("zip(program.sequences, sequences"),
        ),
        (
            ("if own._is_view() or own"),
            ("if own"),
        ),
    ],
    ("backends.operations", "backends/test_operations.py"): [
        (
            ("return -logsigmoid(-a)"),
            ("return torch.nn.functional.softplus(a)"),
        ),
        (
            ("torch.where(condition != 0, a, b)"),
            ("torch.where(condition > 0, a, b)"),
        ),
    ],
    ("backends.masks", "nn/test_masks.py"): [
        (
            ("torch.compiler.is_compiling() or "),
            (""),
        ),
        (
            ("torch._C._is_tracing() or "),
            (""),
        ),
        (
            (" or torch._C._are_functorch_transforms_active()"),
            (""),
        ),
        (
            (" or torch._C._len_torch_dispatch_stack()"),
            (""),
        ),
        (
            (" or torch._C._len_torch_function_stack()"),
            (""),
        ),
        (
            ("type(tensor) in (Tensor, nn.Parameter) and "),
            (""),
        ),
        (
            (" and tensor.is_cpu"),
            (""),
        ),
        (
            ("like.dtype in BITS and "),
            (""),
        ),
        (
            (" and all(tensor.dtype == torch.int64 for tensor in integers)"),
            (""),
        ),
    ],
    ("nn.masks", "nn/test_masks.py"): [
        (
            ("ROUNDS = 7"),
            ("ROUNDS = 6"),
        ),
        (
            ("self.step, self.step + steps"),
            ("0, steps"),
        ),
        (
            ("LOW - 1"),
            ("LOW"),
        ),
        (
            ("scaled(one, rate) if scale else one"),
            ("one"),
        ),
        (
            ("scaled(mask, rate) if scale else mask"),
            ("mask"),
        ),
        (
            ("half < bound"),
            ("half <= bound"),
        ),
        (
            ("(lane & 0xFFFF, lane >> 16)"),
            ("(lane >> 16, lane & 0xFFFF)"),
        ),
    ],
    ("equations.text", "equations/test_text.py"): [
        (
            ('{"float": value.hex()} if'),
            ("value if"),
        ),
        (
            ('if content["format"] != FORMAT:'),
            ("if False:"),
        ),
        (
            ("not 0 <= number < len(nodes)"),
            ("not number < len(nodes)"),
        ),
    ],
    ("equations.expr", "equations/test_expr.py"): [
        (
            ("attr.hex() if isinstance(attr, float) else attr"),
            ("attr"),
        ),
    ],
    ("cells.lstm", "cells/test_lstm_family.py"): [
        (
            ("            f = 1 - i"),
            ("            f = i"),
        ),
        (
            ('o = self._gate("o", x, h, c, before)'),
            ('o = self._gate("o", x, h, look, before)'),
        ),
    ],
    ("cells.lstm1997", "cells/test_lstm_family.py"): [
        (
            ("{name: detach(gate) for"),
            ("{name: gate for"),
        ),
        (
            ("4 * sigmoid(net"),
            ("2 * sigmoid(net"),
        ),
    ],
    ("equations.grid", "equations/test_grid.py"): [
        (
            ("product(output) + upstream(output)"),
            ("product(output)"),
        ),
        (
            ("below(name) + right(name)"),
            ("below(name)"),
        ),
        (
            ("every = [*inner.updates.values(), *saved]"),
            ("every = [*inner.updates.values(), *saved[1:]]"),
        ),
        (
            ("wanted[name + UP]), made(wanted[name + LEFT])"),
            ("wanted[name + LEFT]), made(wanted[name + UP])"),
        ),
        (
            ("if any(len(found) != 1 for"),
            ("if any(len(found) > 1 for"),
        ),
        (
            ("names.count(name) > 1"),
            ("names.count(name) > 2"),
        ),
        (
            ("if net.leaf in needed:"),
            ("if False:"),
        ),
    ],
    ("backends.grid", "nn/test_mdlstm.py"): [
        (
            ("heights[:, None] - 1 - r, r)"),
            ("heights[:, None] - 1 - r, 0)"),
        ),
        (
            ("torch.where(valid[diagonal], now[update], 0.0)"),
            ("now[update]"),
        ),
        (
            ("x = torch.where(inside.unsqueeze(-1), x, 0.0)"),
            ("pass"),
        ),
    ],
    ("backends.grid_cpu", "nn/test_mdlstm.py"): [
        (
            ("x.new_empty(shape) if whole else x.new_zeros(shape)"),
            ("x.new_empty(shape)"),
        ),
        (
            ("if torch.is_grad_enabled():"),
            ("if False:"),
        ),
    ],
}

# Mutants that change nothing that could be seen, with the reason.
EQUIVALENT: dict[tuple[str, str], str] = {}


def changed(line: Line) -> Callable[[], list[str]]:
    """A job: run the tests with a line of the source changed; gives the names of those that failed."""

    def job() -> list[str]:
        target = f"gatewise.{line.module}"
        right = importlib.machinery.SourceFileLoader.get_code

        def get_code(self: importlib.machinery.SourceFileLoader, name: str):
            if name != target:
                return right(self, name)
            source = Path(self.path).read_text(encoding="utf-8")
            if line.old not in source:
                raise SystemExit(f"{target} has no {line.old!r}: bring tests/mutants.py up to date")
            return compile(source.replace(line.old, line.new, 1), self.path, "exec")

        importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
        return failing([f"tests/{line.tests}"])

    return job


class Failures:
    """A pytest plugin that remembers what failed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.names.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.names.append(f"{report.nodeid} (not collected)")


def failing(arguments: Sequence[str]) -> list[str]:
    """The tests that fail, up to the first."""
    failures = Failures()
    hypothesis.settings.register_profile("mutants", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])
    hypothesis.settings.load_profile("mutants")
    options = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    pytest.main([*options, *(str(ROOT / argument) for argument in arguments)], plugins=[failures])
    return failures.names


def rule_mutants() -> list[tuple[str, str, Callable[[], list[str]]]]:
    """Table name, what is broken, and a job, for each derivative rule."""
    import gc

    from gatewise.equations import ops, rows
    from gatewise.equations.expr import state
    from tests.backends import test_operations
    from tests.equations import test_rows

    cells = random_cells()
    # In a process of its own: programs are remembered, and those of the mutants must be derived anew.
    if in_a_process(lambda: [name for name in (*ops.TABLE, *rows.TABLE) if not holds(cells, name)]):
        raise SystemExit("with nothing broken, random cells fail")
    jobs = []

    def add(table: dict, name: str, what: str, mutate: Callable, direct: Callable[[], None]) -> None:
        def job() -> list[str]:
            right = table[name]
            table[name] = replace(right, derivative=lambda y, g: mutate(right.derivative(y, g), g))
            found = []
            try:
                direct()
            except Exception:  # noqa: BLE001  whatever a broken rule leads to
                found.append("rule")
            if not holds(cells, name):
                found.append("random cells")
            return found

        jobs.append((name, what, job))

    # The tables are views; what is behind them is changed, so that all who have imported them see it.
    pointwise_table, rows_table = (gc.get_referents(table)[0] for table in (ops.TABLE, rows.TABLE))
    for name, operation in list(pointwise_table.items()):
        direct = lambda name=name: test_operations.test_derivative_rules_equal_autograd(name)  # noqa: E731
        leaves = [state(f"a{k}") for k in range(operation.arity)]
        parts = operation.derivative(ops.pointwise(name, *leaves), state("g"))
        for k, part in enumerate(parts):
            for what, change in changes(part, state("g")).items():
                add(pointwise_table, name, f"operand {k + 1}: {what}", at(k, change), direct)
    for name in list(rows_table):
        cases = [case for case in test_rows.CASES if case.split()[0] == name]

        def direct(cases: Sequence[str] = cases) -> None:
            for case in cases:
                test_rows.test_values_and_derivative_rules(case)

        node = test_rows.CASES[cases[-1]]()
        for k in (0,) if len(node.args) == 1 else (0, -1):
            part = rows.TABLE[name].derivative(node, state("g", node.width) if node.width else node)[k]
            for what, change in changes(part, None).items():
                add(rows_table, name, f"{'last' if k else 'first'} operand: {what}", at(k, change), direct)
    return jobs


def changes(part, g) -> dict[str, Callable]:
    """What can be done to an adjoint: functions of it and of the adjoint `g` of the value."""
    if part is None:
        return {"flows": lambda part, g: g}
    found: dict[str, Callable] = {
        "negated": lambda part, g: -part,
        "left out": lambda part, g: None,
        "doubled": lambda part, g: 2 * part,
    }
    if g is not None and part is not g:
        found["factor dropped"] = lambda part, g: g
    return found


def at(k: int, change: Callable) -> Callable:
    """A change of the part at `k` alone."""

    def mutate(parts: tuple, g):
        changed_parts = list(parts)
        changed_parts[k] = change(parts[k], g)
        return tuple(changed_parts)

    return mutate


def random_cells() -> list:
    """Random cells, drawn once, with what a plain loop and autograd give."""
    from gatewise.equations.expr import topological
    from tests.equations import test_random_cells
    from tests.equations.plain_loop import loop
    from tests.equations.random_cells import examples

    drawn = []

    @hypothesis.settings(
        max_examples=RANDOM_CELLS,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(examples())
    def collect(example) -> None:
        run = lambda *a, **k: loop(*a, sizes=example.sizes, **k)  # noqa: E731
        roots = [*example.step.observed.values(), *example.step.updates.values()]
        used = {node.op for node in topological(roots)}
        drawn.append((example, used, test_random_cells.results(example, run)))

    collect()
    return drawn


def holds(cells: list, name: str) -> bool:
    """Whether all random cells that use an operation have the right gradients."""
    from gatewise.backends.scan import scan
    from tests.equations import test_random_cells

    for example, used, want in cells:
        # Operations that only stand in derivatives are used by cells that do not show it.
        if name in used or name in ("total", "spread", "mean", "rstd", "repeat", "fold"):
            try:
                got = test_random_cells.results(example, scan)
            except Exception:  # noqa: BLE001  whatever a broken rule leads to
                return False
            if test_random_cells.worst(got, want) > 1e-9:
                return False
    return True


def in_a_process(job: Callable[[], list[str]]) -> list[str]:
    """What a job gives that runs in a copy of this process, without its output."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                answer = "\n".join(job())
        except SystemExit as error:
            answer = f"! {error}"
        except BaseException as error:  # noqa: BLE001  told in the table
            answer = f"! {type(error).__name__}: {error}"
        with os.fdopen(writer, "w") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer.splitlines()


def main() -> int:
    """Run all mutants."""
    begin = time.monotonic()
    torch.set_num_threads(1)
    survived, count = [], 0

    def report(where: str, what: str, found: list[str]) -> None:
        nonlocal count
        count += 1
        if found and found[0].startswith("!"):
            survived.append(f"{where} {what}: {found[0]}")
            verdict = found[0]
        elif found:
            verdict = "killed by " + ", ".join(name.removeprefix("tests/") for name in found)
            if (where, what) in EQUIVALENT:
                survived.append(f"{where} {what} is said to be equivalent, but was killed")
        else:
            verdict = "equivalent: " + EQUIVALENT[where, what] if (where, what) in EQUIVALENT else "SURVIVED"
            if (where, what) not in EQUIVALENT:
                survived.append(f"{where} {what}")
        print(f"{where:22} {what:60.60} {verdict}", flush=True)

    # Sources first: nothing of ours is imported yet.
    for tests in dict.fromkeys(tests for _, tests in LINES):
        found = in_a_process(lambda tests=tests: failing([f"tests/{tests}"]))
        if found:
            print(f"with nothing broken, this fails: {', '.join(found)}")
            return 1
    for (module, _), pairs in LINES.items():
        source = (ROOT / "src" / "gatewise" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        for old, _ in pairs:
            if old not in source:
                print(f"gatewise.{module} has no {old!r}: bring tests/mutants.py up to date")
                return 1
    for line in [Line(module, old, new, tests) for (module, tests), pairs in LINES.items() for old, new in pairs]:
        new = " ".join(line.new.split())
        report(
            line.module, f"{' '.join(line.old.split())[:27]} -> {new[:29] or 'nothing'}", in_a_process(changed(line))
        )
    seen_by: Counter[str] = Counter()
    for name, what, job in rule_mutants():
        found = in_a_process(job)
        seen_by[" and ".join(found)] += 1
        report(f"rule {name}", what, found)
    seconds = time.monotonic() - begin
    print(f"\n{count} mutants in {seconds:.0f} s, {len(survived)} not accounted for; broken rules that are seen by")
    print(", ".join(f"{who or 'nobody'}: {number}" for who, number in sorted(seen_by.items())))
    for name in survived:
        print(f"  {name}")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
