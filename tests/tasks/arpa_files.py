"""Small n-gram models as files, and their probabilities by the definition of back-off."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Table:
    """Logarithms to base 10 of the probability and of the back-off weight of each n-gram, a tuple of words."""

    grams: dict[tuple[str, ...], tuple[float, float]]
    order: int

    def log_prob(self, context: Sequence[str], word: str) -> float:
        """In nats, by the recursion that defines it."""
        context = tuple(context)[max(0, len(context) - self.order + 1) :]
        if (*context, word) in self.grams:
            return self.grams[*context, word][0] * math.log(10)
        weight = self.grams[context][1] if context in self.grams else 0.0
        return weight * math.log(10) + self.log_prob(context[1:], word)

    def text(self) -> str:
        """The ARPA file."""
        orders = range(1, self.order + 1)
        by_order = [[gram for gram in self.grams if len(gram) == order] for order in orders]
        lines = ["made up", "\\data\\", *(f"ngram {k}={len(g)}" for k, g in zip(orders, by_order, strict=True)), ""]
        for order, grams in zip(orders, by_order, strict=True):
            lines.append(f"\\{order}-grams:")
            for gram in grams:
                log_prob, backoff = self.grams[gram]
                last = "" if order == self.order or backoff == 0 else f"\t{backoff}"
                lines.append(f"{log_prob}\t{' '.join(gram)}{last}")
            lines.append("")
        return "\n".join([*lines, "\\end\\", ""])

    def write(self, path: Path) -> Path:
        """The ARPA file at a path."""
        path.write_text(self.text(), encoding="utf-8")
        return path


def draw_table(seed: int, words: Sequence[str], order: int, *, keep: float = 0.4, unknown: bool = True) -> Table:
    """Random numbers for a random part of all n-grams, closed under leaving out the last word.

    Not a distribution, which no formula here asks for; a suffix of an n-gram may be missing, as after pruning.
    """
    rng = np.random.default_rng(seed)
    vocabulary = ["<s>", "</s>", *(["<unk>"] if unknown else []), *words]
    grams: dict[tuple[str, ...], tuple[float, float]] = {}
    contexts: list[tuple[str, ...]] = [()]
    for length in range(1, order + 1):
        longer: list[tuple[str, ...]] = []
        for context, word in itertools.product(contexts, vocabulary):
            if length > 1 and (word == "<s>" or context[-1] == "</s>" or rng.random() > keep):
                continue
            log_prob, backoff = (round(float(x), 4) for x in (-rng.exponential(0.7), rng.normal(0, 0.3)))
            grams[*context, word] = (log_prob, 0.0 if length == order or rng.random() < 0.3 else backoff)
            longer.append((*context, word))
        contexts = longer
    return Table(grams, max(len(gram) for gram in grams))
