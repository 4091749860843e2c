"""The one training of a transcriber, and the weights it may start from."""

from typing import TYPE_CHECKING

from gatewise.errors import ConfigurationError, TrainingError
from gatewise.tasks.transcription.augment import Augmentation
from gatewise.tasks.transcription.networks import Network
from gatewise.tasks.transcription.objective import TranscribeObjective
from gatewise.tasks.transcription.parameters import training_options
from gatewise.tasks.transcription.training_set import TrainingSet
from gatewise.training import Journal, TrainingResult, train

if TYPE_CHECKING:
    from gatewise.tasks.transcription.transcriber import Transcriber


def train_network(
    network: Network, data: TrainingSet, model: "Transcriber", journal: Journal
) -> tuple[Network, TrainingResult, list[str]]:
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
    objective = TranscribeObjective(
        network,
        data.examples,
        data.targets,
        training=data.training,
        validation=data.validation,
        augmentation=Augmentation(data.front.kind == "image", float(model.augmentation)),
        blank_penalty=float(model.blank_penalty),
        max_epochs=model.max_epochs,
        batch_size=model.batch_size,
        batch_frames=model.batch_frames,
        seed=model.seed,
    )
    result = train(objective, training_options(model), journal=journal, progress=model.progress, name="network")
    if result.best_epoch == 0:
        raise TrainingError("Training was interrupted before its first step: there is no model to keep.")
    said = list(objective.said)
    if result.stopped == "max_minutes":
        said.append(f"max_minutes ended the training in epoch {len(result.history)}.")
    return network, result, said


def start_from(network: Network, old: "Transcriber", new: "Transcriber") -> None:
    """Give the network of a new model the weights of an old one.

    Raises:
        ConfigurationError: the models differ in symbols or sizes.
    """
    if old.vocabulary_ != new.vocabulary_:
        raise ConfigurationError(
            f"the model to start from writes {' '.join(old.vocabulary_.symbols[1:41])}; these texts have "
            f"{' '.join(new.vocabulary_.symbols[1:41])}: both need the same symbols"
        )
    given, wanted = old.network_.state_dict(), network.state_dict()
    same = given.keys() == wanted.keys() and all(given[name].shape == wanted[name].shape for name in wanted)
    if not same or (old.backbone_, old.subsampling_) != (new.backbone_, new.subsampling_):
        raise ConfigurationError(
            f'the model to start from is a "{old.backbone_}" of other sizes than this "{new.backbone_}": give '
            "backbone, hidden_size, num_layers, subsampling and look_ahead as it was trained with, and recordings like "
            "its own"
        )
    network.load_state_dict(given)
