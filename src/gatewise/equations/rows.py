"""Operations that mix the units of a vector: means, normalisation, and the gates that several cells share.

The set is closed under differentiation: each derivative is written in operations of this table and of
`gatewise.equations.ops.TABLE`. A value that is the same for all units (a mean) is a vector of equal entries, which
makes the mean its own adjoint.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gatewise.equations.expr import Expr, intern, wrap
from gatewise.equations.ops import Notation, Operation, square
from gatewise.errors import CellError

EPSILON = 1e-5  # added to the variance, as torch.nn.LayerNorm does


def mean(a: Expr) -> Expr:
    """The mean over the units `[w]`, in every unit `[w]`.

    Raises:
        CellError: `a` is a scalar.
    """
    return intern("mean", (_vector("mean", a),), width=a.width)


def total(a: Expr) -> Expr:
    """The sum over the units `[w]`: one number.

    Raises:
        CellError: `a` is a scalar.
    """
    return intern("total", (_vector("total", a),))


def spread(a: Expr, width: str) -> Expr:
    """One number, in every unit `[width]`; in derivatives."""
    return intern("spread", (a,), width=width)


def normalise(a: Expr) -> Expr:
    """`(a - mean(a)) / sqrt(variance(a) + 1e-5)` over the units, without gain and bias.

    Ba, Kiros & Hinton (2016), Layer Normalization, eq. 3.

    Raises:
        CellError: `a` is a scalar.
    """
    return normalise_jointly(a)[0]


def normalise_jointly(*vectors: Expr) -> tuple[Expr, ...]:
    """Several vectors `[w]` normalised as one long vector: one mean and one variance over all units of all of them.

    Ba, Kiros & Hinton (2016) normalise the net inputs of all gates in this way.

    Raises:
        CellError: no vectors, a scalar among them, or different widths.
    """
    if not vectors:
        raise CellError("normalise_jointly() needs at least one vector")
    for vector in vectors:
        _vector("normalise", vector)
    if len({vector.width for vector in vectors}) > 1:
        listing = ", ".join(f"`{vector!r}` [{vector.width}]" for vector in vectors)
        raise CellError(f"normalise: vectors that are normalised together need one width, got {listing}")
    return tuple(intern("normalise", vectors, index, vectors[0].width) for index in range(len(vectors)))


def repeat(a: Expr, width: str = "H") -> Expr:
    """A value for each memory block `[a's width]`, repeated for each of the block's cells `[width]`.

    Cell k belongs to block k // S where S cells make a block (Hochreiter & Schmidhuber 1997).

    Raises:
        CellError: `a` is a scalar or has this width already.
    """
    return intern("repeat", (_other_width("repeat", a, width),), width=width)


def fold(a: Expr, width: str) -> Expr:
    """The sum over the cells of each memory block: `[a's width]` to one value for each block `[width]`.

    Raises:
        CellError: `a` is a scalar or has this width already.
    """
    return intern("fold", (_other_width("fold", a, width),), width=width)


def rstd(*vectors: Expr) -> Expr:
    """One over the standard deviation by which `normalise_jointly` divides, in every unit; in derivatives."""
    return intern("rstd", vectors, width=vectors[0].width)


def _vector(op: str, a: Expr) -> Expr:
    a = wrap(a)
    if a.width is None:
        raise CellError(f"{op}({a!r}): the operand is a scalar; a vector is needed")
    return a


def _other_width(op: str, a: Expr, width: str) -> Expr:
    a = _vector(op, a)
    if a.width == width:
        raise CellError(f"{op}({a!r}): the operand has the width {width} already")
    return a


def normalise_adjoints(vectors: tuple[Expr, ...], gradients: Mapping[int, Expr]) -> tuple[Expr, ...]:
    """The adjoints of vectors that are normalised together, from those of (some of) the normalised parts.

    All parts at once, because their means can be taken as one.

    Args:
        vectors: what is normalised, each `[w]`.
        gradients: for the number of a part the gradient for it `[w]`.
    """
    parts, share = normalise_jointly(*vectors), 1 / len(vectors)
    summed = _sum(list(gradients.values()))
    sloped = _sum([gradient * parts[k] for k, gradient in gradients.items()])
    scale, centre, slope = rstd(*vectors), mean(summed) * share, mean(sloped) * share
    return tuple(
        scale * ((gradients[k] - centre if k in gradients else -centre) - part * slope) for k, part in enumerate(parts)
    )


def _sum(terms: list[Expr]) -> Expr:
    first, *others = terms
    for term in others:
        first = first + term
    return first


def _rstd_adjoints(y: Expr, g: Expr) -> tuple[Expr, ...]:
    factor = -(square(y) * (mean(g) * (1 / len(y.args))))
    return tuple(factor * part for part in normalise_jointly(*y.args))


def _call(name: str, word: str | None = None) -> tuple[Notation, Notation]:
    head = rf"\operatorname{{{{{word or name}}}}}"
    return Notation(f"{name}({{}})"), Notation(rf"{head}\left({{}}\right)")


TABLE: Mapping[str, Operation] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            Operation("mean", 1, lambda y, g: (mean(g),), *_call("mean")),
            Operation("total", 1, lambda y, g: (spread(g, str(y.args[0].width)),), *_call("total", "sum")),
            Operation("spread", 1, lambda y, g: (total(g),), *_call("spread")),
            Operation(
                "normalise",
                0,
                lambda y, g: normalise_adjoints(y.args, {int(str(y.attr)): g}),
                *_call("normalise", "norm"),
            ),
            Operation("rstd", 0, _rstd_adjoints, *_call("rstd")),
            Operation("repeat", 1, lambda y, g: (fold(g, str(y.args[0].width)),), *_call("repeat")),
            Operation("fold", 1, lambda y, g: (repeat(g, str(y.args[0].width)),), *_call("fold")),
        )
    }
)
