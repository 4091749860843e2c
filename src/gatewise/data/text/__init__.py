"""Text: its Unicode form, and the labels that a recogniser writes it in."""

from gatewise.data.text.pieces import learn_pieces
from gatewise.data.text.unicode import FORMS, TextForm
from gatewise.data.text.vocabulary import Vocabulary

__all__ = ["FORMS", "TextForm", "Vocabulary", "learn_pieces"]
