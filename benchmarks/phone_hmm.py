"""Monophone hidden Markov models of `benchmarks/phones.py`: hmmlearn's, with mixtures of Gaussians.

Each phone, and the pause, has three states from left to right, of which the middle one may be skipped, with eight
Gaussians of diagonal covariance each; a model is trained (Baum-Welch) on the stretches of frames which are its phone's,
since their ends are known. Features are 13 cepstra of the log-mel energies with their first and second differences.
Sentences are decoded (Viterbi) with one model of all states, in which the probability of a phone after another is that
of the training sentences (a bigram with one more of each) to a power, and phones go on to others more rarely than in
training: the power and how much more rarely are chosen on the validation sentences. (Rabiner 1989, A Tutorial on Hidden
Markov Models and Selected Applications in Speech Recognition.)

Needs the package hmmlearn (extra `bench`).
"""

import time
import warnings
from collections.abc import Sequence
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.cluster import KMeans

from benchmarks.data import flite
from benchmarks.data.spoken import FEATURES, Spoken
from gatewise.data.audio import deltas
from gatewise.tasks.error_rates import error_rate

try:
    from hmmlearn.hmm import GMMHMM
except ModuleNotFoundError as missing:
    raise SystemExit("hidden Markov models need the package hmmlearn: pip install 'gatewise[bench]'") from missing

if TYPE_CHECKING:
    from benchmarks.phones import Corpus

STATES, GAUSSIANS, CEPSTRA = 3, 8, 13
MOST = 100  # stretches that a model is trained on
ROUNDS = 5  # of Baum-Welch
POWERS, PENALTIES = (1.0, 3.0), (0.0, 4.0)
LEAST = 1e-3  # of a variance


def measure(corpus: "Corpus") -> dict[str, Any]:
    """Train and decode; the PERs, and the processor's minutes of training."""
    began = time.process_time()
    names = (*corpus.phones, flite.PAUSE)
    versions = [one for sentence in corpus.training for one in sentence]
    models = _trained(versions, names)
    counts = np.ones((len(names), len(names)))
    for one in versions:
        for before, after in pairwise(one.phones):
            counts[names.index(before), names.index(after)] += 1
    bigram = np.log(counts / counts.sum(1, keepdims=True))
    spent = time.process_time() - began
    some = corpus.validation[::3]
    options = {(power, penalty): _per(models, names, bigram, power, penalty, some)
               for power, penalty in product(POWERS, PENALTIES)}  # fmt: skip
    power, penalty = min(options, key=lambda key: options[key])
    return {
        "same": round(_per(models, names, bigram, power, penalty, corpus.same), 4),
        "held_out": round(_per(models, names, bigram, power, penalty, corpus.held_out), 4),
        "validation": round(options[power, penalty], 4),
        "power": power,
        "penalty": penalty,
        "minutes": round(spent / 60, 2),
        "parameters": len(names) * STATES * GAUSSIANS * (2 * 3 * CEPSTRA + 1),
    }


def cepstra(one: Spoken) -> np.ndarray:
    """Cepstra with their differences: float64 `[T, 3 * CEPSTRA]`."""
    bands = FEATURES.bands
    cosines = np.cos(np.pi / bands * (np.arange(bands)[:, None] + 0.5) * np.arange(CEPSTRA)) * np.sqrt(2 / bands)
    own = one.frames @ cosines
    first = deltas(own)
    return np.concatenate([own, first, deltas(first)], axis=1).astype(np.float64)


def _trained(versions: Sequence[Spoken], names: Sequence[str]) -> dict[str, GMMHMM]:
    """A model of each phone."""
    rng = np.random.default_rng(0)
    stretches: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for k in rng.permutation(len(versions)):
        one = versions[k]
        if all(len(found) >= MOST for found in stretches.values()):
            break
        frames, places = cepstra(one), one.places
        for place, phone in enumerate(one.phones):
            stretch = frames[places == place]
            if len(stretch) >= STATES - 1 and len(stretches[phone]) < MOST:
                stretches[phone].append(stretch)
    models = {}
    for name, found in stretches.items():
        model = GMMHMM(STATES, GAUSSIANS, covariance_type="diag", n_iter=ROUNDS, tol=0.0, min_covar=LEAST,
                       init_params="", params="tmcw", random_state=0)  # fmt: skip
        model.startprob_ = np.array([1.0, 0.0, 0.0])
        model.transmat_ = np.array([[0.6, 0.3, 0.1], [0.0, 0.6, 0.4], [0.0, 0.0, 1.0]])
        _begin(model, found)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Gaussians that few frames are near
            model.fit(np.concatenate(found), [len(stretch) for stretch in found])
        models[name] = model
    return models


def _begin(model: GMMHMM, stretches: Sequence[np.ndarray]) -> None:
    """Gaussians of each third of the stretches, by k-means."""
    thirds = [np.concatenate([np.array_split(stretch, STATES)[k] for stretch in stretches]) for k in range(STATES)]
    size = stretches[0].shape[1]
    model.weights_ = np.full((STATES, GAUSSIANS), 1 / GAUSSIANS)
    model.means_ = np.zeros((STATES, GAUSSIANS, size))
    model.covars_ = np.ones((STATES, GAUSSIANS, size))
    for k, third in enumerate(thirds):
        rng = np.random.default_rng(k)
        if len(third) < GAUSSIANS:
            third = third[rng.integers(len(third), size=GAUSSIANS)]
        found = KMeans(GAUSSIANS, n_init=1, random_state=0).fit(third)
        model.means_[k] = found.cluster_centers_ + 1e-3 * rng.standard_normal((GAUSSIANS, size))
        model.covars_[k] = np.maximum(third.var(axis=0), LEAST)


def _per(
    models: dict[str, GMMHMM],
    names: Sequence[str],
    bigram: np.ndarray,
    power: float,
    penalty: float,
    sentences: Sequence[Spoken],
) -> float:
    """The error rate of the likeliest paths through all models."""
    count = len(names) * STATES
    within = np.zeros((count, count))
    between = np.zeros((count, count))
    for p, name in enumerate(names):
        here = slice(p * STATES, (p + 1) * STATES)
        within[here, here] = models[name].transmat_
    # hmmlearn's last state never ends; a phone ends as often as its middle state goes on.
    last = np.arange(len(names)) * STATES + STATES - 1
    stay = np.array([models[name].transmat_[1, 1] for name in names])
    weights = np.exp(power * bigram)
    leave = (1 - stay) * np.exp(-penalty)
    within[last, last] = 1 - leave
    between[np.ix_(last, last - STATES + 1)] = leave[:, None] * weights / weights.sum(1, keepdims=True)
    whole = GMMHMM(count, GAUSSIANS, covariance_type="diag")
    whole.startprob_ = np.zeros(count)
    whole.startprob_[-STATES] = 1.0  # every sentence begins with a pause
    whole.transmat_ = within + between
    whole.weights_ = np.concatenate([models[name].weights_ for name in names])
    whole.means_ = np.concatenate([models[name].means_ for name in names])
    whole.covars_ = np.concatenate([models[name].covars_ for name in names])
    found = [_read(whole, one, names) for one in sentences]
    return error_rate([one.said for one in sentences], found)


def _read(whole: GMMHMM, one: Spoken, names: Sequence[str]) -> list[str]:
    """The phones of the likeliest path."""
    _, states = whole.decode(cepstra(one))
    phones = [names[states[0] // STATES]]
    for before, after in pairwise(states):
        # A new phone is entered at its first state from a last one; a phone after itself as well.
        if after % STATES == 0 and before % STATES == STATES - 1:
            phones.append(names[after // STATES])
    return [phone for phone in phones if phone != flite.PAUSE]
