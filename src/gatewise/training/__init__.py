"""Training: the loop with its optimiser, schedule, early stopping and log; checkpoints that fits go on from."""

from gatewise.training.about import About
from gatewise.training.directory import RunDirectory
from gatewise.training.interrupt import Interrupt
from gatewise.training.journal import Journal
from gatewise.training.kept import kept_journal
from gatewise.training.loop import train
from gatewise.training.noise import weight_noise
from gatewise.training.objective import Continuing, Gathering, Objective
from gatewise.training.options import TrainingOptions
from gatewise.training.plan import Plan, plan_of
from gatewise.training.position import TrainingResult
from gatewise.training.rates import LearningRates, range_test, rates_of
from gatewise.training.saving import Checkpoints
from gatewise.training.snapshot import restore, snapshot
from gatewise.training.truncated import StreamObjective, run_streams

__all__ = [
    "About",
    "Checkpoints",
    "Continuing",
    "Gathering",
    "Interrupt",
    "Journal",
    "LearningRates",
    "Objective",
    "Plan",
    "RunDirectory",
    "StreamObjective",
    "TrainingOptions",
    "TrainingResult",
    "kept_journal",
    "plan_of",
    "range_test",
    "rates_of",
    "restore",
    "run_streams",
    "snapshot",
    "train",
    "weight_noise",
]
