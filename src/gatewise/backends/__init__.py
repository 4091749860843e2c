"""Who executes a cell over a sequence: torch's fused call, the compiled core, the reference; `choose` says which."""

from gatewise.backends.call import Call
from gatewise.backends.choose import BACKENDS, Choice, check_backend, choose

__all__ = ["BACKENDS", "Call", "Choice", "check_backend", "choose"]
