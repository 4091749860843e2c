"""The plain LSTM over whole sequences: against torch and onnxruntime, and the choice between its own backends."""

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.speed.case import Case, Comparison, Contender, Settings, Target, at_any
from benchmarks.speed.contenders import ONNX, TORCH, no_core, onnxruntimes, ours, packed, torchs
from benchmarks.speed.points import BATCHES, FEW, GRID, Point
from benchmarks.speed.problem import Problem

PACKED = 'gatewise, narrowed("fp32")'
OURS, OWN_TORCH, OWN_CPU = "gatewise", 'backend="torch"', 'backend="cpu"'


def _inference(point: Point, settings: Settings) -> list[Contender]:
    problem = Problem(point, training=False, seed=settings.seed)
    rivals = [torchs(problem), onnxruntimes(problem, settings.threads)]
    return [ours(problem), packed(problem, PACKED), *rivals, *_backends(problem)]


def _training(point: Point, settings: Settings) -> list[Contender]:
    problem = Problem(point, training=True, seed=settings.seed)
    return [ours(problem), torchs(problem), *_backends(problem)]


def _backends(problem: Problem) -> list[Contender]:
    found = [ours(problem, OWN_TORCH, "torch")]
    return found if no_core() else [*found, ours(problem, OWN_CPU, "cpu")]


def _choice(what: str) -> Comparison:
    return Comparison(f'{what}, "auto" vs the better of its backends', OURS, (OWN_TORCH, OWN_CPU), targets=at_any(0.97))


def _against_torch(
    name: str,
    title: str,
    about: str,
    points: tuple[Point, ...],
    problem: Callable[..., Problem],
    targets: Mapping[int, Target] | None = None,
) -> tuple[Case, Case]:
    """Inference and training of a layer that torch has as well."""

    def case(training: bool) -> Case:
        def contenders(point: Point, settings: Settings) -> list[Contender]:
            given = problem(point, training, seed=settings.seed)
            return [ours(given), torchs(given)]

        what = "training" if training else "inference"
        comparison = Comparison(f"{title}, {what} vs torch.nn.LSTM", OURS, (TORCH,), targets=targets or {})
        return Case(f"{name}-{what}", f"{title}: {what}", about, points, contenders, (comparison,), training)

    return case(False), case(True)


CASES = (
    Case(
        "inference",
        "Inference",
        "Whole sequences without gradients: outputs and last states. onnxruntime runs one LSTM node with the same "
        "weights and as many threads. It packs the weights once, when a session is made, as our layers do where they "
        "are made for inference alone; other layers of ours, and torch's, look at their weights anew in each call.",
        GRID,
        _inference,
        (
            Comparison(
                "inference vs torch.nn.LSTM",
                OURS,
                (TORCH,),
                targets={1: Target(0.97, 1.8, 2.2), 2: Target(0.97, 2.4, 3.0)},
            ),
            Comparison("inference vs onnxruntime", OURS, (ONNX,), targets={1: Target(0.95, 1.2, 1.5)}),
            Comparison("inference, weights packed once, vs onnxruntime", PACKED, (ONNX,)),
            _choice("inference"),
        ),
        training=False,
    ),
    Case(
        "training",
        "Training",
        "Forward, and backward of the outputs times a fixed tensor to all parameters and the input.",
        GRID,
        _training,
        (
            Comparison(
                "training vs torch.nn.LSTM",
                OURS,
                (TORCH,),
                targets={1: Target(0.97, 1.4, 1.6), 2: Target(0.97, 1.6, 2.0)},
            ),
            _choice("training"),
        ),
        training=True,
    ),
    *_against_torch(
        "ragged",
        "Ragged batch",
        "Lengths uniform in 1..T. torch's time includes packing the padded batch and padding the outputs.",
        BATCHES,
        partial(Problem, ragged=True),
        at_any(1.2, 1.8, 2.5),
    ),
    *_against_torch(
        "bidirectional", "Bidirectional", "Both directions of one layer.", FEW, partial(Problem, bidirectional=True)
    ),
    *_against_torch("layers", "Three layers", "A stack of three layers.", FEW, partial(Problem, layers=3)),
)
