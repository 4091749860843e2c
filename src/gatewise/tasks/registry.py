"""Which estimator a model folder's task belongs to."""

import os

from gatewise.errors import ModelFolderError, nearest
from gatewise.tasks.classification import Classifier
from gatewise.tasks.folder import read_folder
from gatewise.tasks.forecasting import Forecaster
from gatewise.tasks.generation import Generator
from gatewise.tasks.labelling import Labeller
from gatewise.tasks.transcription import Transcriber

# The names a folder may carry; a name is looked up here and nowhere else, so that no file decides what code runs.
ESTIMATORS: dict[str, type[Classifier] | type[Forecaster] | type[Generator] | type[Labeller] | type[Transcriber]] = {
    "classify": Classifier,
    "forecast": Forecaster,
    "generate": Generator,
    "label": Labeller,
    "transcribe": Transcriber,
}


def load(path: str | os.PathLike[str]) -> Classifier | Forecaster | Generator | Labeller | Transcriber:
    """The estimator in a model folder.

    Raises:
        ModelFolderError: the folder is missing, damaged, altered, of a newer format, or of an unknown task.
    """
    folder = read_folder(path)
    if folder.task not in ESTIMATORS:
        raise ModelFolderError(
            f'{folder.path} holds a model of the unknown task "{folder.task}", {nearest(folder.task, ESTIMATORS)}. '
            "Copy the folder again, or upgrade gatewise."
        )
    return ESTIMATORS[folder.task].load(folder)
