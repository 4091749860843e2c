"""The package pillow, which reads, writes and resamples images."""

import importlib
from typing import Any

from gatewise.errors import ConfigurationError


def pillow(module: str = "Image") -> Any:
    """A module of the package pillow.

    Raises:
        ConfigurationError: pillow is not installed.
    """
    try:
        return importlib.import_module(f"PIL.{module}")
    except ImportError as error:
        raise ConfigurationError("images need the package pillow: pip install 'gatewise[image]'") from error
