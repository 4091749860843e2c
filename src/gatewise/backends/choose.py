"""Which backend runs a call, and why not the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from gatewise.backends import cpu, reference, torch_fused
from gatewise.backends.call import Call
from gatewise.errors import ConfigurationError, nearest

# In the order in which "auto" tries them.
BACKENDS: Mapping[str, Callable[[Call], str | None]] = MappingProxyType(
    {"cpu": cpu.supports, "torch": torch_fused.supports, "reference": reference.supports}
)
# Where a backend that could run a call leaves it to the next one that can, since that was measured to be faster.
YIELDS: Mapping[str, Callable[[Call], str | None]] = MappingProxyType({"cpu": cpu.slower_than_torch})
STREAMING = ("cpu", "reference")  # those that run streams


@dataclass(frozen=True)
class Choice:
    """A backend chosen for a call.

    Attributes:
        backend: the name of the backend that runs the call.
        requested: what was asked for: a name, or "auto".
        reasons: for each backend in the order of "auto", why it cannot run the call, or None where it can.
        yielded: backends that come earlier and can, with the reason why "auto" left the call to a later one.
    """

    backend: str
    requested: str
    reasons: tuple[tuple[str, str | None], ...]
    yielded: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        how = 'the first of "auto" that can' if self.requested == "auto" else "asked for by name"
        lines = [f"backend: {self.backend} ({how})"]
        for name, reason in self.reasons:
            if name == self.backend:
                verdict = "runs the call"
            elif name in dict(self.yielded):
                verdict = f"could run the call; {dict(self.yielded)[name]}"
            elif reason is None:
                verdict = "could run the call; it comes later in the order of " + '"auto"'
                if self.requested != "auto":
                    verdict = "could run the call; it was not asked for"
            else:
                verdict = f"cannot: {reason}"
            lines.append(f"  {name}: {verdict}")
        return "\n".join(lines)


def check_backend(name: object) -> str:
    """The name itself if it is "auto" or a backend's.

    Raises:
        ConfigurationError: it is neither.
    """
    known = ["auto", *BACKENDS]
    if not isinstance(name, str) or name not in known:
        raise ConfigurationError(f"backend={name!r} is not known; {nearest(str(name), known)}")
    return name


@lru_cache(maxsize=1024)
def choose(requested: str, call: Call, streaming: bool = False) -> Choice:
    """The backend for a call: the one asked for by name, or for "auto" the first that can run it.

    Pure, and remembered for each signature.

    Args:
        requested: a backend's name, or "auto".
        call: what is asked for.
        streaming: one step after the other, by an object that keeps the states.

    Raises:
        ConfigurationError: no such backend; the one asked for cannot run the call (the message says why); or none can.

    >>> from gatewise.cells import LSTM
    >>> import torch
    >>> call = Call(LSTM(), "cpu", torch.float32, steps=7, batch=2, sizes=(("H", 5), ("X", 3)))
    >>> print(choose("auto", call))
    backend: cpu (the first of "auto" that can)
      cpu: runs the call
      torch: could run the call; it comes later in the order of "auto"
      reference: could run the call; it comes later in the order of "auto"
    """
    check_backend(requested)
    if streaming and requested not in ("auto", *STREAMING):
        raise ConfigurationError(
            f'backend="{requested}" runs no streams: give stream(backend=...) "auto" or one of {", ".join(STREAMING)}'
        )
    names = STREAMING if streaming else tuple(BACKENDS)
    reasons = tuple((name, BACKENDS[name](call)) for name in names)
    able = [name for name, reason in reasons if reason is None]
    if requested == "auto":
        if not able:
            listing = "; ".join(f"{name}: {reason}" for name, reason in reasons)
            raise ConfigurationError(f"no backend can run {call}: {listing}")
        yielded: list[tuple[str, str]] = []
        for name, following in pairwise(able):
            why = YIELDS[name](call) if name in YIELDS and following == "torch" else None
            if why is None:
                return Choice(name, requested, reasons, tuple(yielded))
            yielded.append((name, why))
        return Choice(able[-1], requested, reasons, tuple(yielded))
    reason = dict(reasons)[requested]
    if reason is not None:
        others = f"; these can: {', '.join(able)}" if able else ""
        raise ConfigurationError(f'backend="{requested}" cannot run {call}: {reason}{others}')
    return Choice(requested, requested, reasons)
