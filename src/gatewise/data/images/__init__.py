"""Images of single lines of writing: reading them, bringing them to one height, and their columns over time.

A line is float32 `[height, width]`: 1 where there is ink, 0 where there is paper. Over its width it is a sequence of
T = width time steps.
"""

from gatewise.data.images.geometric import GEOMETRIC_FEATURES, geometric_features
from gatewise.data.images.lines import columns, crop_to_ink, normalise_line, stretch_contrast
from gatewise.data.images.reading import read_line
from gatewise.data.images.slant import deskew, deslant, skew_angle, slant_angle

__all__ = [
    "GEOMETRIC_FEATURES",
    "columns",
    "crop_to_ink",
    "deskew",
    "deslant",
    "geometric_features",
    "normalise_line",
    "read_line",
    "skew_angle",
    "slant_angle",
    "stretch_contrast",
]
