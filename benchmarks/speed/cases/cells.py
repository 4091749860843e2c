"""Other cells in training: against our own plain LSTM, and against loops in torch."""

from benchmarks.speed.case import Case, Comparison, Contender, Settings, at_any
from benchmarks.speed.contenders import COMPILED, COMPILED_STEP, EAGER, SCRIPTED, UNROLLED, loop, no_core, ours
from benchmarks.speed.kinds import LAYER_NORMED, PEEPHOLE, PLAIN, POINTWISE
from benchmarks.speed.points import LOOPS, TEN, Point
from benchmarks.speed.problem import Problem

PLAIN_NAME, OURS = "plain LSTM", "gatewise"


def _plain(point: Point, settings: Settings) -> Contender:
    return ours(Problem(point, training=True, seed=settings.seed), PLAIN_NAME, "cpu")


def _pointwise(point: Point, settings: Settings) -> list[Contender]:
    problems = [Problem(point, training=True, kind=kind, seed=settings.seed) for kind in POINTWISE]
    return [_plain(point, settings), *(ours(problem, problem.kind.name, "cpu") for problem in problems)]


def _peephole(point: Point, settings: Settings) -> list[Contender]:
    problem = Problem(point, training=True, kind=PEEPHOLE, seed=settings.seed)
    rivals = [EAGER, SCRIPTED]
    if settings.compiles:
        rivals.append(COMPILED if point.steps <= UNROLLED else COMPILED_STEP)
    return [ours(problem), *(loop(problem, name) for name in rivals)]


def _layer_normed(point: Point, settings: Settings) -> list[Contender]:
    problem = Problem(point, training=True, kind=LAYER_NORMED, seed=settings.seed)
    return [_plain(point, settings), ours(problem, OURS, "cpu"), loop(problem)]


CASES = (
    Case(
        "pointwise",
        "Pointwise cells",
        "Cells that work unit by unit between one product and the next, in training, against our own plain LSTM, all "
        "on the compiled core. A ratio is scaled by the number of gates, since the products grow with it: that of a "
        "cell with three gates is 3/4 of the LSTM's time over its own.",
        TEN,
        _pointwise,
        tuple(
            Comparison(
                f"{kind.name} ({kind.gates} gates) vs own plain LSTM",
                kind.name,
                (PLAIN_NAME,),
                scale=kind.gates / PLAIN.gates,
                targets=at_any(0.85, 0.95, 1.0),
            )
            for kind in POINTWISE
        ),
        training=True,
        missing=no_core,
        seconds=lambda point: 4.0,
    ),
    Case(
        "peephole",
        "Peephole LSTM: training",
        "Against the fastest, at each point, of an eager loop, the same loop scripted, and the loop compiled (as a "
        f"whole for T up to {UNROLLED}, beyond that its step). The time of compiling stands apart.",
        LOOPS,
        _peephole,
        (
            Comparison(
                "peephole training vs the best loop in torch",
                OURS,
                (EAGER, SCRIPTED, COMPILED_STEP, COMPILED),
                targets=at_any(1.5, 5, 20),
            ),
        ),
        training=True,
        seconds=lambda point: 25.0,
    ),
    Case(
        "layer-norm",
        "Layer-normed LSTM: training",
        "Against our own plain LSTM, which has no norms to compute (both on the compiled core), and an eager loop.",
        LOOPS,
        _layer_normed,
        (
            Comparison("layer-normed training vs own plain LSTM", OURS, (PLAIN_NAME,), targets=at_any(0.6, 0.75, 0.9)),
            Comparison("layer-normed training vs an eager loop", OURS, (EAGER,)),
        ),
        training=True,
        missing=no_core,
    ),
)
