"""Language models that decoders listen to: n-grams, and what any other model has to offer."""

from gatewise.tasks.language.arpa import read_arpa
from gatewise.tasks.language.label_model import LabelModel, LabelNGram
from gatewise.tasks.language.ngram import NGram

__all__ = ["LabelModel", "LabelNGram", "NGram", "read_arpa"]
