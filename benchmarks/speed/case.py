"""What a case of the registry is, and what it measures at a point."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.speed.accuracy import Standard
from benchmarks.speed.points import Point
from benchmarks.speed.problem import Task


@dataclass(frozen=True)
class Settings:
    """What all cases of a run have in common.

    Attributes:
        threads: how many torch and onnxruntime have.
        seed: of weights and inputs.
        quick: few repeats, nothing compiled.
        clock: "wall"; or "processor", the time that the process ran, which others cannot prolong by running as well.
        timed: False where only results are compared.
    """

    threads: int
    seed: int = 0
    quick: bool = False
    clock: str = "wall"
    timed: bool = True

    @property
    def compiles(self) -> bool:
        """Whether contenders that have to be compiled take part."""
        return self.timed and not self.quick


@dataclass(frozen=True)
class Contender:
    """One of those that are timed in turn.

    Attributes:
        name: in results.
        task: what it does.
        standard: what it has to compute.
        bound: the largest error it may have; None for the multiple of torch's own that is allowed to ours.
        backend: of a layer of ours, what runs its calls.
        prepare: done once before anything else, and timed apart: a compilation.
        warmups: calls before the first sample.
    """

    name: str
    task: Task
    standard: Standard
    bound: float | None = None
    backend: str | None = None
    prepare: Callable[[], object] | None = None
    warmups: int = 3


@dataclass(frozen=True)
class Target:
    """Ratios to reach: at any point, as geometric mean, and at best."""

    floor: float
    mean: float | None = None
    stretch: float | None = None


@dataclass(frozen=True)
class Comparison:
    """A row of the summary: the time of a rival over ours.

    Attributes:
        name: of the row, unique in the registry.
        ours: the contender that is ours.
        rivals: the contender it is compared with; of several, the fastest at each point.
        scale: what the ratio is multiplied with.
        targets: by number of threads.
    """

    name: str
    ours: str
    rivals: tuple[str, ...]
    scale: float = 1.0
    targets: Mapping[int, Target] = field(default_factory=dict)

    @property
    def contenders(self) -> tuple[str, ...]:
        """All that take part."""
        return (self.ours, *self.rivals)


@dataclass(frozen=True)
class Case:
    """Contenders that are timed together over a list of points.

    Attributes:
        name: on the command line.
        title: on the page.
        about: what is compared, in a sentence or two for the page.
        points: where.
        contenders: who, at a point.
        comparisons: which ratios are taken of it.
        training: forward and backward, else inference.
        threads: the numbers of threads it makes sense with.
        missing: why it cannot run in this installation, or None.
        seconds: of a point beyond those of its calls: the truth, compilations (an estimate, for the progress bar).
    """

    name: str
    title: str
    about: str
    points: tuple[Point, ...]
    contenders: Callable[[Point, Settings], Sequence[Contender]]
    comparisons: tuple[Comparison, ...]
    training: bool
    threads: tuple[int, ...] = (1, 2)
    missing: Callable[[], str | None] = lambda: None
    seconds: Callable[[Point], float] = lambda point: 0.5


def at_any(floor: float, mean: float | None = None, stretch: float | None = None) -> dict[int, Target]:
    """The same targets for one and two threads."""
    return dict.fromkeys((1, 2), Target(floor, mean, stretch))
