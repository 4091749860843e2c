"""A language of three letters to transcribe: frames in which each is to be seen."""

from typing import Any

import numpy as np

SMALL: dict[str, Any] = {
    "backbone": "blstm", "hidden_size": 16, "num_layers": 1, "batch_size": 8, "learning_rate": 0.02, "max_epochs": 40,
    "threads": 1,
}  # fmt: skip


def spoken(text: str, rng: np.random.Generator, length: int = 2) -> np.ndarray:
    """Frames `[T, 4]`: `length` a letter, as many of silence between letters, and noise."""
    places = ["_abc".index(letter) for letter in "_" + "_".join(text) + "_"]
    clean = np.repeat(np.eye(4)[places], length, axis=0)
    return (clean + 0.1 * rng.normal(size=clean.shape)).astype(np.float32)


def recordings(count: int, seed: int = 0, length: int = 2) -> tuple[list[np.ndarray], list[str]]:
    """Texts of two to four letters, and their frames."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(["a", "b", "c"], rng.integers(2, 5))) for _ in range(count)]
    return [spoken(text, rng, length) for text in texts], texts
