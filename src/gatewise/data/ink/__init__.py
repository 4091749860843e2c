"""Ink: the strokes of a pen, read out of files, drawn, brought to one form, and as features over time."""

from gatewise.data.ink.drawing import ink_image, ink_svg, write_png, write_svg
from gatewise.data.ink.features import INK_FEATURES, delayed_strokes, ink_features, ink_offsets
from gatewise.data.ink.ink import Ink
from gatewise.data.ink.inkml import format_inkml, read_inkml, write_inkml
from gatewise.data.ink.json_strokes import format_json, read_json, write_json
from gatewise.data.ink.normalising import base_lines, ink_slant, normalise_ink
from gatewise.data.ink.reading import read_ink
from gatewise.data.ink.resampling import resample
from gatewise.data.ink.unipen import read_unipen
from gatewise.data.ink.whiteboard import read_whiteboard

__all__ = [
    "INK_FEATURES",
    "Ink",
    "base_lines",
    "delayed_strokes",
    "format_inkml",
    "format_json",
    "ink_features",
    "ink_image",
    "ink_offsets",
    "ink_slant",
    "ink_svg",
    "normalise_ink",
    "read_ink",
    "read_inkml",
    "read_json",
    "read_unipen",
    "read_whiteboard",
    "resample",
    "write_inkml",
    "write_json",
    "write_png",
    "write_svg",
]
