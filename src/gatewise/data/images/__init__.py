"""Images of single lines of writing: reading them, bringing them to one height, and their columns over time.

A line is float32 `[height, width]`: 1 where there is ink, 0 where there is paper. Over its width it is a sequence of
T = width time steps.
"""

from gatewise.data.images.lines import columns, crop_to_ink, normalise_line, stretch_contrast
from gatewise.data.images.reading import read_line

__all__ = ["columns", "crop_to_ink", "normalise_line", "read_line", "stretch_contrast"]
