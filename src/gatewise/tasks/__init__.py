"""Tasks: estimators over data, layers and training, and the model folder they are kept in."""

from gatewise.tasks.classification import Classifier
from gatewise.tasks.forecasting import Forecaster
from gatewise.tasks.generation import Generator
from gatewise.tasks.labelling import Labeller
from gatewise.tasks.registry import load
from gatewise.tasks.transcription import Transcriber

__all__ = ["Classifier", "Forecaster", "Generator", "Labeller", "Transcriber", "load"]
