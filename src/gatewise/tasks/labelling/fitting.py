"""The one training of a labeller, and the weights it may start from."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from gatewise.errors import ConfigurationError, TrainingError
from gatewise.tasks.classification.inputs import Preparation
from gatewise.tasks.labelling.network import LabellerNetwork
from gatewise.tasks.labelling.objective import LabelObjective
from gatewise.tasks.labelling.parameters import delay_of, training_options
from gatewise.tasks.labelling.training_set import TrainingSet
from gatewise.training import Journal, TrainingResult, train

if TYPE_CHECKING:
    from gatewise.tasks.labelling.labeller import Labeller


def new_network(model: "Labeller", preparation: Preparation, outputs: int) -> LabellerNetwork:
    """A new network on the CPU, its weights drawn from the model's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(model.seed))
        return LabellerNetwork(
            preparation.n_channels,
            outputs,
            difference_scale=torch.from_numpy(preparation.difference_scale.astype(np.float32)),
            masked=preparation.masked,
            hidden_size=model.hidden_size,
            num_layers=model.num_layers,
            delay=delay_of(model),
            dropout=float(model.dropout),
            adds_newest=model.output == "anomalies",
        )


def train_network(
    model: "Labeller", data: TrainingSet, start: LabellerNetwork | None, journal: Journal
) -> tuple[LabellerNetwork, TrainingResult]:
    """Train a network as a model's parameters have it.

    Raises:
        ConfigurationError: `start` is of other shapes.
        TrainingError: the loss is not finite, or there was no time for a first step.
    """
    outputs = len(data.classes) if data.classes is not None else data.targets.shape[1]
    network = new_network(model, data.preparation, outputs)
    if start is not None:
        _start_from(network, start)
    # Errors of channels, which have units of their own, are told in standard units.
    scale = np.ones(outputs) if data.scale is None or model.output == "anomalies" else data.scale.scale
    objective = LabelObjective(
        network.to(model.device),
        data.preparation.apply(data.sequences),
        data.targets,
        training=data.training,
        validation=data.validation,
        mask_channels=data.preparation.n_channels if data.preparation.masked else 0,
        noise=float(model.noise),
        class_weight=data.weights,
        label_smoothing=float(model.label_smoothing),
        scale=scale,
        stretch=model.stretch,
        batch_size=model.batch_size,
        batch_frames=model.batch_frames,
        seed=int(model.seed),
    )
    options = training_options(model, objective.batches_per_epoch)
    result = train(objective, options, journal=journal, progress=model.progress, name="network")
    if result.best_epoch == 0:
        raise TrainingError("Training was interrupted before its first step: there is no model to keep.")
    return network, result


def _start_from(network: LabellerNetwork, old: LabellerNetwork) -> None:
    wanted, given = network.state_dict(), old.state_dict()
    same = wanted.keys() == given.keys() and all(wanted[name].shape == given[name].shape for name in wanted)
    if not same or (network.delay, network.masked) != (old.delay, old.masked):
        raise ConfigurationError(
            "the model to start from has other shapes: give output, look_ahead, hidden_size and num_layers as it was "
            "trained with, and data with as many channels, and with missing values only if it had some"
        )
    network.load_state_dict(given)
