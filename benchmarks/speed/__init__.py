"""Speed of layers on the CPU: one registry of cases, one runner, and the page made of what it found.

    python -m benchmarks.speed             # measure; the summary goes to the terminal, all of it to a file
    python -m benchmarks.speed.scaling     # time and memory against T, H and B
    python -m benchmarks.speed.report      # docs/performance.md out of the files of both

Legend: T steps, B batch, X inputs, H hidden units; X = H throughout. A point is written B/T/H.
"""
