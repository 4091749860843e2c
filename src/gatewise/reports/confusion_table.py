"""A confusion matrix as an HTML table: its numbers stay text, its colours are the page's."""

from html import escape

from gatewise.reports.content import ConfusionMatrix

# Counts stand on a strong colour in white, on a weak one in the page's ink.
_STRONG = 0.6


def confusion_table(matrix: ConfusionMatrix) -> str:
    """The matrix as `<table>`: colour is the share of the true class, right in one hue, wrong in another."""
    names = [escape(label) for label in matrix.labels]
    # Long names stand upright, so that the columns stay as narrow as their counts.
    upright = ' class="long"' if len(names) > 2 and max(map(len, matrix.labels)) > 5 else ""
    heads = "".join(f'<th scope="col"{upright}>{name}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{name}</th>{_cells(matrix, k)}<td class="recall">{_percent(matrix.recall(k))}</td></tr>'
        for k, name in enumerate(names)
    )
    dense = " dense" if len(names) > 12 else ""
    return (
        f'<table class="confusion{dense}">'
        f'<thead><tr><td></td><th scope="colgroup" colspan="{len(names)}">predicted class</th><td></td></tr>'
        f'<tr><th scope="col">true class</th>{heads}<th scope="col">recall</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _cells(matrix: ConfusionMatrix, k: int) -> str:
    row = matrix.counts[k]
    total = sum(row)
    return "".join(_cell(count, count / total if total else 0.0, j == k) for j, count in enumerate(row))


def _cell(count: int, share: float, right: bool) -> str:
    if not count:
        return '<td class="none">·</td>' if not right else '<td class="none">0</td>'
    # Even a single confusion must be seen, so colour starts above nothing.
    shade = 0.12 + 0.88 * share
    classes = ("right" if right else "wrong") + (" strong" if shade >= _STRONG else "")
    return f'<td class="{classes}" style="--share:{shade:.2f}">{count:,}</td>'


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def confusion_sentences(matrix: ConfusionMatrix) -> str:
    """What the table says, in words, as HTML text.

    >>> confusion_sentences(ConfusionMatrix(("cat", "dog"), ((3, 1), (0, 4))))
    '7 of 8 sequences are classified correctly (87.5 %). Most frequent confusion: cat taken for dog (1).'
    """
    total = sum(map(sum, matrix.counts))
    if matrix.accuracy is None:
        return "No sequence was classified."
    correct = sum(row[k] for k, row in enumerate(matrix.counts))
    said = f"{correct:,} of {total:,} sequences are classified correctly ({_percent(matrix.accuracy)})."
    top = matrix.confusions()[:3]
    if not top:
        return said
    pairs = "; ".join(f"{escape(matrix.labels[k])} taken for {escape(matrix.labels[j])} ({n:,})" for k, j, n in top)
    return f"{said} Most frequent confusion{'s' if len(top) > 1 else ''}: {pairs}."
