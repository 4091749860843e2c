"""Small documents for generators: words that follow from one another, and pieces of two voices."""

import numpy as np


def texts(count: int = 30, seed: int = 0) -> list[str]:
    """Sentences of a small grammar, so that much of them can be foretold."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        words = []
        for _ in range(int(rng.integers(2, 6))):
            who, does = rng.choice(["cat", "dog", "cow"]), rng.choice(["sees", "hears"])
            words.append(f"the {who} {does} the {rng.choice(['cat', 'dog', 'cow'])}.")
        found.append("\n".join(words))
    return found


def pieces(count: int = 24, seed: int = 0) -> list[list[list[int]]]:
    """Scales of two voices a third apart, from any note, up or down, with a rest now and then."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        start, step = int(rng.integers(58, 64)), int(rng.choice([-1, 1]))
        notes = [[start + step * (t % 6), start + step * (t % 6) + 4] for t in range(int(rng.integers(8, 20)))]
        notes[int(rng.integers(len(notes)))] = []
        found.append(notes)
    return found
