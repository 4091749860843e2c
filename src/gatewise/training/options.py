"""How to train: the options of the loop, validated when they are made."""

import math
from dataclasses import dataclass

from gatewise.errors import ConfigurationError, nearest
from gatewise.training.schedule import SCHEDULES

PRECISIONS = ("float32", "bf16", "fp16")


@dataclass(frozen=True)
class TrainingOptions:
    """Options of `train`.

    Args:
        max_epochs: passes over the training batches at most.
        stop_after: epochs after which training ends although the schedule spans `max_epochs`: what a first run on a
            validation part found best is repeated on all data with the same learning rates.
        max_minutes: wall-clock minutes at most; the epoch in which they end is cut and still validated. Where they end
            before the epochs do, the learning rate goes by time, so that its schedule has come to its end as well.
        learning_rate: the peak learning rate of AdamW.
        weight_decay: decoupled weight decay (Loshchilov & Hutter 2019) of weight matrices; biases and other
            vectors are not decayed.
        clip_norm: the gradient's global 2-norm is clipped to this (Pascanu, Mikolov & Bengio 2013); None: never.
        patience: epochs without a better monitored metric before training stops; None: never.
        schedule: how the learning rate moves over all steps: one of "constant", "linear", "cosine".
        warmup: the fraction of all steps over which the learning rate first rises linearly from zero.
        average_decay: exponential moving average of the weights over steps (Polyak & Juditsky 1992); the averaged
            weights are what is validated and kept. 0: no averaging. Early steps use a shorter memory.
        swa_from: stochastic weight averaging (Izmailov et al. 2018): from this share of all steps on the learning rate
            stays what it is, and the mean of the weights at the ends of epochs is what is validated and kept. 0: never.
        weight_noise: the standard deviation of normal noise on all weights while the gradient of a batch is taken
            (Graves 2011); 0: none.
        accumulate: batches whose mean gradient is one step: the effect of larger batches in the memory of one. What is
            left at the end of an epoch is a step of fewer.
        precision: of products in the forward and backward of a batch: "float32", or by torch's autocast "bf16" or
            "fp16". Weights, moments and validation stay float32. Losses of fp16 are scaled so that gradients neither
            vanish nor overflow (Micikevicius et al. 2018); where one overflows, its batch is done again with half the
            scale.
        seed: seeds what is drawn while it trains (dropout, noise); the caller's random state is left as it was.

    Raises:
        ConfigurationError: a value outside its range.

    >>> TrainingOptions(max_epochs=20, schedule="cosin")
    Traceback (most recent call last):
        ...
    gatewise.errors.ConfigurationError: schedule is "cosin", did you mean "cosine"? There is: constant, cosine, linear
    """

    max_epochs: int = 100
    stop_after: int | None = None
    max_minutes: float | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float | None = 1.0
    patience: int | None = None
    schedule: str = "cosine"
    warmup: float = 0.0
    average_decay: float = 0.0
    swa_from: float = 0.0
    weight_noise: float = 0.0
    accumulate: int = 1
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        _count("max_epochs", self.max_epochs)
        _count("accumulate", self.accumulate)
        if self.precision not in PRECISIONS:
            raise ConfigurationError(f'precision is "{self.precision}", {nearest(str(self.precision), PRECISIONS)}')
        if self.patience is not None:
            _count("patience", self.patience)
        if self.stop_after is not None:
            _count("stop_after", self.stop_after)
        _real("learning_rate", self.learning_rate, above=0.0)
        _real("weight_decay", self.weight_decay, least=0.0)
        if self.max_minutes is not None:
            _real("max_minutes", self.max_minutes, above=0.0)
        if self.clip_norm is not None:
            _real("clip_norm", self.clip_norm, above=0.0)
        _real("warmup", self.warmup, least=0.0, below=1.0)
        _real("average_decay", self.average_decay, least=0.0, below=1.0)
        _real("swa_from", self.swa_from, least=0.0, below=1.0)
        _real("weight_noise", self.weight_noise, least=0.0)
        if self.average_decay and self.swa_from:
            raise ConfigurationError(
                f"average_decay is {self.average_decay:g} and swa_from is {self.swa_from:g}, which are two ways to "
                "average the weights: set one of them to 0"
            )
        if self.schedule not in SCHEDULES:
            raise ConfigurationError(f'schedule is "{self.schedule}", {nearest(str(self.schedule), SCHEDULES)}')


def _count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} is {value!r}, expected a whole number of at least 1")


def _real(
    name: str, value: object, *, least: float | None = None, above: float | None = None, below: float | None = None
) -> None:
    bounds = [f"{word} {bound:g}" for word, bound in (("at least", least), ("above", above), ("below", below))
              if bound is not None]  # fmt: skip
    ok = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (least is None or value >= least)
        and (above is None or value > above)
        and (below is None or value < below)
    )
    if not ok:
        raise ConfigurationError(f"{name} is {value!r}, expected a number {' and '.join(bounds)}")
