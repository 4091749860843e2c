"""Generation: language models over characters, pieces of words, or polyphonic events."""

from gatewise.tasks.generation.events import read_events
from gatewise.tasks.generation.generator import Generator
from gatewise.tasks.generation.labels import GeneratorLabels

__all__ = ["Generator", "GeneratorLabels", "read_events"]
