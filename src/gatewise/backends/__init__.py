"""Who executes a cell over a sequence: `reference` (any cell), `torch` (torch's fused call); `choose` says which."""

from gatewise.backends.call import Call
from gatewise.backends.choose import BACKENDS, Choice, check_backend, choose

__all__ = ["BACKENDS", "Call", "Choice", "check_backend", "choose"]
