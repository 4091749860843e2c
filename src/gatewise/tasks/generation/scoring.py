"""How well documents are foretold.

Legend: n steps, V labels or events.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gatewise.tasks.generation.corpus import Corpus
from gatewise.tasks.generation.network import GeneratorNetwork
from gatewise.tasks.generation.symbols import Symbols, TextSymbols
from gatewise.training import run_streams


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Nats of each label `[n]`, of logits `[n, V]`."""
    return functional.cross_entropy(logits, labels, reduction="none")


def event_loss(logits: Tensor, events: Tensor) -> Tensor:
    """Nats of each frame `[n]`: the sum over events, each of which sounds or does not, of logits `[n, V]`.

    (Boulanger-Lewandowski, Bengio & Vincent 2012, section 6: the frame-level log-likelihood of independent outputs.)
    """
    return functional.binary_cross_entropy_with_logits(logits, events, reduction="none").sum(-1)


def score_corpus(network: GeneratorNetwork, corpus: Corpus, symbols: Symbols) -> dict[str, float]:
    """Metrics of documents, each foretold from its beginning on; the network must be in evaluation mode.

    Returns:
        Of texts "bits_per_character" (the ends of documents cost bits as well, but are no characters), and "accuracy",
        the share of labels that were thought the likeliest. Of events "frame_nll" (nats a frame) and "frame_accuracy"
        (Bay, Ehmann & Downie 2009: events that were right over all that sounded or were thought likelier than not). Of
        both "nats", the mean of a step.
    """
    nats, right, others, characters = 0.0, 0, 0, 0
    loss = label_loss if isinstance(symbols, TextSymbols) else event_loss
    for batch, outputs in run_streams(network, corpus.whole()):
        logits, wanted = batch.new(outputs), batch.new(batch.following)
        nats += float(loss(logits, wanted).double().sum())
        if isinstance(symbols, TextSymbols):
            right += int((logits.argmax(-1) == wanted).sum())
            characters += int(symbols.characters[wanted.cpu().numpy()].sum())
        else:
            said, sounded = logits > 0, wanted > 0
            right += int((said & sounded).sum())
            others += int((said ^ sounded).sum())
    if isinstance(symbols, TextSymbols):
        return {
            "bits_per_character": nats / math.log(2) / max(characters, 1),
            "accuracy": right / corpus.steps,
            "nats": nats / corpus.steps,
        }
    return {
        "frame_nll": nats / corpus.steps,
        "frame_accuracy": right / max(right + others, 1),
        "nats": nats / corpus.steps,
    }


def score_frequencies(frequencies: np.ndarray, corpus: Corpus, symbols: Symbols) -> dict[str, float]:
    """The same of a model that says the training part's frequencies, whatever came before."""
    shares = torch.from_numpy(frequencies)
    targets = torch.from_numpy(corpus.targets().astype(np.int64))
    if isinstance(symbols, TextSymbols):
        bits = -float(shares.log2()[targets].sum())
        characters = int(symbols.characters[targets.numpy()].sum())
        return {
            "bits_per_character": bits / max(characters, 1),
            "accuracy": float((targets == shares.argmax()).double().mean()),
            "nats": bits * math.log(2) / corpus.steps,
        }
    sounded = targets.double()
    nats = -(sounded * shares.log() + (1 - sounded) * (1 - shares).log()).sum(1)
    said = (shares > 0.5)[None].expand_as(sounded)
    right, others = int((said & (sounded > 0)).sum()), int((said ^ (sounded > 0)).sum())
    mean = float(nats.mean())
    return {"frame_nll": mean, "frame_accuracy": right / max(right + others, 1), "nats": mean}
