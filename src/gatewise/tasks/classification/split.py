"""Validation parts of a classifier's members: stratified by class, or whole groups."""

import numpy as np

# With fewer sequences of a class (or fewer groups) a validation part says nothing and costs the training part much.
LEAST = 4


def validation_parts(
    targets: np.ndarray, groups: np.ndarray | None, *, share: float, members: int, seed: int
) -> tuple[list[np.ndarray], str | None]:
    """One validation part a member: indices into the sequences, different for each member as long as they last.

    Members that hold out different parts see all data between them (a cross-validation committee: Krogh & Vedelsby
    1995). Without `groups` each class gives its share, at least one sequence and never all. With `groups` whole groups
    are held out, and each class keeps a sequence in the training part.

    Args:
        targets: class numbers `[S]`.
        groups: group numbers `[S]`, or None.
        share: of the sequences (or groups) to hold out.
        members: how many parts.
        seed: of the drawing.

    Returns:
        The parts; and why they are empty, if they are: a class with fewer than 4 sequences, fewer than 4 groups, or
        groups no choice of which leaves every class in the training part.

    >>> parts, why = validation_parts(np.repeat([0, 1], 8), None, share=0.25, members=2, seed=0)
    >>> [len(part) for part in parts], len(set(parts[0]) & set(parts[1])), why
    ([4, 4], 0, None)
    """
    empty = [np.zeros(0, np.int64) for _ in range(members)]
    if share == 0:
        return empty, "validation=0"
    rng = np.random.default_rng([seed, len(targets)])
    if groups is not None:
        return _grouped(targets, groups, share, members, rng, empty)
    counts = np.bincount(targets)
    if counts.min() < LEAST:
        return empty, f"a class has {counts.min()} sequences, and a validation part needs {LEAST} of each"
    taken: list[list[np.ndarray]] = [[] for _ in range(members)]
    for number in range(len(counts)):
        order = rng.permutation(np.flatnonzero(targets == number))
        size = min(max(1, round(share * len(order))), len(order) - 1)
        for member in range(members):
            taken[member].append(np.take(order, range(member * size, (member + 1) * size), mode="wrap"))
    return [np.sort(np.concatenate(part)) for part in taken], None


def _grouped(
    targets: np.ndarray,
    groups: np.ndarray,
    share: float,
    members: int,
    rng: np.random.Generator,
    empty: list[np.ndarray],
) -> tuple[list[np.ndarray], str | None]:
    order = rng.permutation(np.unique(groups))
    if len(order) < LEAST:
        return empty, f"there are {len(order)} groups, and a validation part needs {LEAST}"
    size = max(1, round(share * len(order)))
    classes = len(np.unique(targets))
    parts = []
    for member in range(members):
        for start in range(member * size, member * size + len(order)):
            held = np.isin(groups, np.take(order, range(start, start + size), mode="wrap"))
            if len(np.unique(targets[~held])) == classes:
                parts.append(np.flatnonzero(held))
                break
        else:
            return empty, "every choice of groups to hold out takes all sequences of a class"
    return parts, None
