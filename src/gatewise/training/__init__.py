"""Training: the loop with its optimiser, schedule, early stopping, checkpoints and log."""

from gatewise.training.checkpoint import restore, snapshot, write_bytes, write_checkpoint
from gatewise.training.interrupt import Interrupt
from gatewise.training.loop import TrainingResult, train
from gatewise.training.objective import Objective
from gatewise.training.options import TrainingOptions

__all__ = [
    "Interrupt",
    "Objective",
    "TrainingOptions",
    "TrainingResult",
    "restore",
    "snapshot",
    "train",
    "write_bytes",
    "write_checkpoint",
]
