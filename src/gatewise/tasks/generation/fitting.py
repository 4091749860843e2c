"""The one training of a generator, and the weights it may start from."""

from typing import TYPE_CHECKING

import torch

from gatewise.errors import ConfigurationError, TrainingError
from gatewise.tasks.generation.network import GeneratorNetwork
from gatewise.tasks.generation.objective import GenerateObjective
from gatewise.tasks.generation.parameters import training_options
from gatewise.tasks.generation.symbols import EventSymbols
from gatewise.tasks.generation.training_set import TrainingSet
from gatewise.training import Journal, TrainingResult, train

if TYPE_CHECKING:
    from gatewise.tasks.generation.generator import Generator


def make_network(model: "Generator") -> GeneratorNetwork:
    """A new network of a model's sizes on the CPU, its weights drawn from its seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model.seed)
        return GeneratorNetwork(
            model.frequencies_,
            events=isinstance(model.symbols_, EventSymbols),
            joint_units=model.joint_units if model.unit == "events" else 0,
            cell=model.cell,
            hidden_size=model.hidden_size,
            num_layers=model.num_layers,
            dropout=model.dropout,
        )


def train_network(
    network: GeneratorNetwork, data: TrainingSet, model: "Generator", journal: Journal
) -> tuple[GeneratorNetwork, TrainingResult, list[str]]:
    """Train a network as a model's parameters have it.

    Args:
        network: on its device; it ends with the best weights.
        data: what it is trained and validated on.
        model: its parameters are looked at.
        journal: of the fit.

    Returns:
        The network, how its training went, and what there is to say of it.

    Raises:
        TrainingError: the loss is not finite, or there was no time for a first step.
    """
    objective = GenerateObjective(
        network,
        data.symbols,
        data.training,
        data.validation,
        streams=model.streams,
        k1=model.chunk,
        k2=model.reach,
        transpose=model.transpose,
        seed=model.seed,
    )
    result = train(objective, training_options(model), journal=journal, progress=model.progress, name="network")
    if result.best_epoch == 0:
        raise TrainingError("Training was interrupted before its first step: there is no model to keep.")
    said = []
    if objective.streams.streams < model.streams:
        said.append(f"{objective.streams.streams} streams instead of {model.streams}: each has at least a whole chunk.")
    if result.stopped == "max_minutes":
        said.append(f"max_minutes ended the training in epoch {len(result.history)}.")
    return network, result, said


def start_from(network: GeneratorNetwork, old: "Generator", new: "Generator") -> None:
    """Give the network of a new model the weights of an old one.

    Raises:
        ConfigurationError: the models differ in symbols or sizes.
    """
    if old.symbols_ != new.symbols_:
        raise ConfigurationError(
            f"the model to start from writes {old.symbols_.size} symbols, these data have {new.symbols_.size}, or "
            "others: both need the same (alphabet names further ones)"
        )
    given, wanted = old.network_.state_dict(), network.state_dict()
    same = given.keys() == wanted.keys() and all(given[name].shape == wanted[name].shape for name in wanted)
    if not same or old.cell != new.cell:
        raise ConfigurationError(
            f'the model to start from is {old.num_layers} x {old.hidden_size} of the cell "{old.cell}", this one '
            f'{new.num_layers} x {new.hidden_size} of "{new.cell}": give cell, hidden_size and num_layers as it was '
            "trained with"
        )
    network.load_state_dict(given)
