"""All cases, in the order in which they run and are shown."""

from collections.abc import Mapping

from benchmarks.speed.case import Case, Comparison
from benchmarks.speed.cases import cells, sequences, stored, streaming

CASES: Mapping[str, Case] = {
    case.name: case for case in (*sequences.CASES, *streaming.CASES, *stored.CASES, *cells.CASES)
}
COMPARISONS: Mapping[str, tuple[Case, Comparison]] = {
    comparison.name: (case, comparison) for case in CASES.values() for comparison in case.comparisons
}
