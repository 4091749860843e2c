"""How well documents are foretold.

Legend: n steps, V labels or events.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gatewise.tasks.generation.corpus import Corpus
from gatewise.tasks.generation.frames import FrameEvents
from gatewise.tasks.generation.network import GeneratorNetwork
from gatewise.tasks.generation.symbols import Symbols, TextSymbols
from gatewise.training import run_streams


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Nats of each label `[n]`, of logits `[n, V]`."""
    return functional.cross_entropy(logits, labels, reduction="none")


def event_loss(given: Tensor, events: Tensor, frames: FrameEvents | None = None) -> Tensor:
    """Nats of each frame `[n]`: the sum over its events, each of which sounds or does not.

    (Boulanger-Lewandowski, Bengio & Vincent 2012, section 6: the frame-level log-likelihood.)

    Args:
        given: logits of independent events `[n, V]`, or what `frames` makes logits of.
        events: 0 and 1, `[n, V]`.
        frames: which events go together; None: each is on its own.
    """
    logits = given if frames is None else frames(given, events)
    return functional.binary_cross_entropy_with_logits(logits, events, reduction="none").sum(-1)


@torch.no_grad()
def score_corpus(
    network: GeneratorNetwork, corpus: Corpus, symbols: Symbols, *, accuracy: bool = True
) -> dict[str, float]:
    """Metrics of documents, each foretold from its beginning on; the network must be in evaluation mode.

    Args:
        network: what foretells.
        corpus: the documents.
        symbols: that it writes.
        accuracy: of events, whether the accuracy is wanted, which takes longer than the rest.

    Returns:
        Of texts "bits_per_character" (the ends of documents cost bits as well, but are no characters), and "accuracy",
        the share of labels that were thought the likeliest. Of events "frame_nll" (nats a frame) and "frame_accuracy"
        (Bay, Ehmann & Downie 2009: events that were right over all that sounded or were thought likelier than not). Of
        both "nats", the mean of a step.
    """
    nats, right, others, characters = 0.0, 0, 0, 0
    for batch, outputs in run_streams(network, corpus.whole()):
        given, wanted = batch.new(outputs), batch.new(batch.following)
        if isinstance(symbols, TextSymbols):
            nats += float(label_loss(given, wanted).double().sum())
            right += int((given.argmax(-1) == wanted).sum())
            characters += int(symbols.characters[wanted.cpu().numpy()].sum())
        else:
            nats += float(event_loss(given, wanted, network.frames).double().sum())
            if not accuracy:
                continue
            said, sounded = likeliest_events(network, given), wanted > 0
            right += int((said & sounded).sum())
            others += int((said ^ sounded).sum())
    if isinstance(symbols, TextSymbols):
        return {
            "bits_per_character": nats / math.log(2) / max(characters, 1),
            "accuracy": right / corpus.steps,
            "nats": nats / corpus.steps,
        }
    found = {"frame_nll": nats / corpus.steps, "nats": nats / corpus.steps}
    return {**found, "frame_accuracy": right / max(right + others, 1)} if accuracy else found


def likeliest_events(network: GeneratorNetwork, given: Tensor) -> Tensor:
    """Which events are likelier than not, booleans `[n, V]`; joint ones each given those taken before it."""
    return (given if network.frames is None else network.frames.draw(given, lambda logits: logits > 0)) > 0


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
