"""Where, with how many threads and from which seed an estimator computes."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from gatewise.errors import ConfigurationError

MOST_THREADS = 1024  # torch crashes the process when the system cannot start as many as it is told to


def check_device(device: object) -> None:
    """Refuse a device that torch does not know or this machine lacks, with `ConfigurationError`.

    >>> check_device("gpu")
    Traceback (most recent call last):
        ...
    gatewise.errors.ConfigurationError: device is 'gpu', expected "cpu" or "cuda" (or "cuda:1", ...)
    """
    expected = f'device is {device!r}, expected "cpu" or "cuda" (or "cuda:1", ...)'
    if not isinstance(device, str):
        raise ConfigurationError(expected)
    try:
        parsed = torch.device(device)
    except RuntimeError as error:
        raise ConfigurationError(expected) from error
    if parsed.type not in ("cpu", "cuda"):
        raise ConfigurationError(expected)
    if parsed.type == "cuda" and (parsed.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ConfigurationError(f"device is {device!r}, but torch sees {count} CUDA devices on this machine")


def check_seed(seed: object) -> None:
    """Refuse what cannot seed, with `ConfigurationError`; up to what scikit-learn and NumPy take as well.

    >>> check_seed(-1)
    Traceback (most recent call last):
        ...
    gatewise.errors.ConfigurationError: seed is -1, expected a whole number from 0 to 4294967295
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ConfigurationError(f"seed is {seed!r}, expected a whole number from 0 to {2**32 - 1}")


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Within, torch computes with `count` CPU threads; None leaves them as they are.

    Raises:
        ConfigurationError: more threads than any machine has.
    """
    if count is not None and count > MOST_THREADS:
        raise ConfigurationError(
            f"threads is {count}, expected at most {MOST_THREADS}; more than the machine's cores only slow down"
        )
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
