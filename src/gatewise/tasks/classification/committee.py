"""The networks of a classifier: trained one after the other, averaged in probability."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.errors import ConfigurationError, TrainingError
from gatewise.tasks.classification.inputs import Preparation
from gatewise.tasks.classification.network import ClassifierNetwork
from gatewise.tasks.classification.objective import Augmentation, ClassifyObjective, run_network
from gatewise.training import Journal, TrainingOptions, train

# Steps a member is trained for where the number of epochs is free to choose, and the least and most epochs of that.
STEPS, LEAST_EPOCHS, MOST_EPOCHS = 2_000, 20, 200


@dataclass(frozen=True)
class MemberOptions:
    """What each member is and how it is trained; the arguments of `Classifier` by the same names."""

    hidden_size: int
    num_layers: int
    bidirectional: bool
    dropout: float
    mixing: float
    scaling: float
    noise: float
    label_smoothing: float
    batch_size: int | None
    batch_frames: int | None
    learning_rate: float
    weight_decay: float
    average_decay: float
    swa_from: float
    accumulate: int
    precision: str
    max_epochs: int | None
    patience: int | None
    device: str

    def network(self, preparation: Preparation, classes: int, seed: int) -> ClassifierNetwork:
        """A new network on the CPU, its weights drawn from `seed` alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return ClassifierNetwork(
                preparation.n_channels,
                classes,
                difference_scale=torch.from_numpy(preparation.difference_scale.astype(np.float32)),
                masked=preparation.masked,
                hidden_size=self.hidden_size,
                num_layers=self.num_layers,
                bidirectional=self.bidirectional,
                dropout=self.dropout,
            )

    def training(self, batches: int, seed: int, minutes: float | None) -> TrainingOptions:
        """Options of the loop for epochs of so many batches."""
        epochs = default_epochs(batches) if self.max_epochs is None else self.max_epochs
        return TrainingOptions(
            max_epochs=epochs,
            max_minutes=minutes,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=self.patience,
            warmup=0.05,
            average_decay=self.average_decay,
            swa_from=self.swa_from,
            accumulate=self.accumulate,
            precision=self.precision,
            seed=seed,
        )


def default_epochs(batches_per_epoch: int) -> int:
    """Epochs that make about 2,000 steps, from 20 to 200.

    >>> [default_epochs(batches) for batches in (2, 15, 1000)]
    [200, 134, 20]
    """
    return min(max(-(-STEPS // batches_per_epoch), LEAST_EPOCHS), MOST_EPOCHS)


@dataclass(frozen=True, eq=False)
class Member:
    """A trained network and how sequences become its inputs."""

    network: ClassifierNetwork
    preparation: Preparation


@dataclass(frozen=True, eq=False)
class Committee:
    """The members, and how their training went: one dict a member (name, best_epoch, stopped, epochs)."""

    members: tuple[Member, ...]
    history: list[dict[str, Any]]

    def weights(self) -> dict[str, Tensor]:
        """The weights of all members, by name."""
        networks = enumerate(member.network for member in self.members)
        return {f"members.{k}.{name}": t for k, network in networks for name, t in network.state_dict().items()}

    def shortened(self) -> int:
        """How many members a time limit ended."""
        return sum(run["stopped"] == "max_minutes" for run in self.history)

    def validation(self) -> dict[str, float]:
        """The members' "log_loss" and "accuracy" on what each held out, at its best epoch, averaged."""
        best = [run["epochs"][run["best_epoch"] - 1] for run in self.history]
        return {
            "log_loss": float(np.mean([row["log_loss"] for row in best])),
            "accuracy": 1.0 - float(np.mean([row["error"] for row in best])),
        }

    def probabilities(self, sequences: Ragged) -> np.ndarray:
        """The members' mean probabilities `[S, K]`, float64."""
        parts = [run_network(member.network, member.preparation.apply(sequences)) for member in self.members]
        return torch.stack(parts).double().softmax(-1).mean(0).numpy()


def train_committee(
    sequences: Ragged,
    targets: np.ndarray,
    held_out: list[np.ndarray],
    options: MemberOptions,
    *,
    class_weight: Tensor | None,
    max_minutes: float | None,
    seed: int,
    start: Committee | None,
    progress: bool,
    journal: Journal,
) -> Committee:
    """Train one member for each part in `held_out`, which it validates on.

    Args:
        sequences: S sequences.
        targets: class numbers `[S]`.
        held_out: indices of each member's validation part, maybe none.
        options: what each member is and how it is trained.
        class_weight: of each class in the loss `[K]`, or None.
        max_minutes: for all members; each has an equal share of what is left, and a schedule that fits into it.
        seed: members count on from 1,000 times it.
        start: members whose weights the new ones start from, or None.
        progress: show progress bars.
        journal: of the fit; its interrupt stops the member in training and leaves out the others.

    Raises:
        ConfigurationError: `start` has networks of other shapes.
        DataError: a channel has no value in a training part.
        TrainingError: the loss is not finite, or there was no time for a first step.
    """
    deadline = None if max_minutes is None else journal.clock() + 60 * max_minutes
    members: list[Member] = []
    history: list[dict[str, Any]] = []
    for number, part in enumerate(held_out):
        if members and (journal.interrupt.requested or (deadline is not None and journal.clock() >= deadline)):
            break
        own_seed = 1_000 * seed + number
        training = np.setdiff1d(np.arange(len(sequences)), part)
        preparation = Preparation.fit(sequences, training)
        network = options.network(preparation, int(targets.max()) + 1, own_seed)
        if start is not None:
            _start_from(network, start.members[number % len(start.members)].network)
        objective = ClassifyObjective(
            network.to(options.device),
            preparation.apply(sequences),
            targets,
            training=training,
            validation=part,
            mask_channels=preparation.n_channels if preparation.masked else 0,
            augmentation=Augmentation(options.mixing, options.scaling, options.noise),
            class_weight=class_weight,
            label_smoothing=options.label_smoothing,
            batch_size=options.batch_size,
            batch_frames=options.batch_frames,
            seed=own_seed,
        )
        name = f"member {number + 1}"
        # An equal share of the time that is left, so that no member takes that of the others.
        minutes = None if deadline is None else (deadline - journal.clock()) / 60 / (len(held_out) - number)
        result = train(
            objective,
            options.training(objective.batches_per_epoch, own_seed, None if minutes is None else max(minutes, 1e-6)),
            journal=journal,
            progress=progress,
            name=name,
            label=f"{name} of {len(held_out)}",
        )
        if result.best_epoch == 0 and members:
            break
        if result.best_epoch == 0:
            raise TrainingError("Training was interrupted before its first step: there is no model to keep.")
        members.append(Member(network, preparation))
        history.append(
            {"name": name, "best_epoch": result.best_epoch, "stopped": result.stopped, "epochs": list(result.history)}
        )
    return Committee(tuple(members), history)


def _start_from(network: ClassifierNetwork, old: ClassifierNetwork) -> None:
    wanted, given = network.state_dict(), old.state_dict()
    different = [n for n in sorted(wanted.keys() | given.keys())
                 if n not in given or n not in wanted or given[n].shape != wanted[n].shape]  # fmt: skip
    if different:
        raise ConfigurationError(
            f"the model to start from has other shapes ({', '.join(different[:3])}): give hidden_size, num_layers and "
            "bidirectional as it was trained with, and data with missing values only if it had some"
        )
    network.load_state_dict(given)
