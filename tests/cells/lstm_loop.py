"""The LSTM family in torch at float64, from the papers' formulas: an explicit loop with explicit matrices.

Every cell's gates have a peephole as a diagonal matrix, blocks as an explicit 0/1 matrix, so that nothing is shared
with the language's operations.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

Values = dict[str, Tensor]
SIZES = {"X": 3, "H": 6, "P": 2, "K": 3}


def parameters(shapes: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int]) -> Values:
    """Random values of parameters that are given by their symbolic shapes."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn([sizes[w] for w in shape], generator=generator, dtype=torch.float64).requires_grad_()
        for name, shape in shapes.items()
    }


def random(*shape: int, seed: int) -> Tensor:
    value = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return value.requires_grad_()


def members(blocks: int, cells: int) -> Tensor:
    """`[cells, blocks]`: 1 where the cell belongs to the block; the cells of a block stand side by side."""
    size = cells // blocks
    return torch.tensor([[float(cell // size == block) for block in range(blocks)] for cell in range(cells)]).double()


def layer_norm(rows: list[Tensor], gains: list[Tensor]) -> list[Tensor]:
    """Ba et al. (2016), eqs. 15-16, over all rows' units together, times the gains."""
    joined = torch.cat(rows, -1)
    normal = torch.nn.functional.layer_norm(joined, [joined.shape[-1]], eps=1e-5)
    return [part * gain for part, gain in zip(normal.split([r.shape[-1] for r in rows], -1), gains, strict=True)]


def family(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    p: Values,
    *,
    before: Values | None = None,
    gates: str = "ifo",
    coupled: bool = False,
    squash_input: bool = True,
    squash_output: bool = True,
    normalised: bool = False,
    block: int = 1,
) -> Values:
    """All values over time of the vanilla LSTM of Greff et al. (2017), section II, with what their variants change.

    Peepholes act where `p` has them, a projection where it has `P`, gates feed gates where `before` has their values.
    """
    hidden = c.shape[-1]
    spread = members(hidden // block, hidden)  # [H, K]
    open_gate = torch.ones(x.shape[1], hidden // block, dtype=torch.float64)
    before = dict(before or {})
    over_time: dict[str, list[Tensor]] = {}
    names = [*gates, "z"]
    for x_t in x:
        from_x = {k: x_t @ p[f"W_{k}"].T for k in names}
        from_h = {k: h @ p[f"U_{k}"].T for k in names}
        if normalised:
            for letter, values in (("W", from_x), ("U", from_h)):
                rows = layer_norm([values[k] for k in names], [p[f"gain_{letter}_{k}"] for k in names])
                values.update(zip(names, rows, strict=True))
        net = {k: from_x[k] + from_h[k] + p.get(f"b_{k}", torch.zeros(1, dtype=torch.float64)) for k in names}
        for k in gates:
            for other, value in before.items():
                net[k] = net[k] + value @ p[f"G_{k}{other}"].T

        def peep(k: str, cell: Tensor) -> Tensor:
            # Each gate sees the cells of its own block.
            return cell @ torch.diag(p[f"p_{k}"]) @ spread if f"p_{k}" in p else torch.zeros_like(open_gate)

        i = torch.sigmoid(net["i"] + peep("i", c)) if "i" in gates else open_gate
        f = torch.sigmoid(net["f"] + peep("f", c)) if "f" in gates else 1 - i if coupled else open_gate
        z = torch.tanh(net["z"]) if squash_input else net["z"]
        c = (i @ spread.T) * z + (f @ spread.T) * c
        o = torch.sigmoid(net["o"] + peep("o", c)) if "o" in gates else open_gate
        shown = c
        if normalised:
            (shown,) = layer_norm([c], [p["gain_c"]])
            shown = shown + p["shift_c"]
        h = (o @ spread.T) * (torch.tanh(shown) if squash_output else shown)
        if "P" in p:
            h = h @ p["P"].T
        values = {"i": i, "f": f, "z": z, "o": o, "c": c, "h": h}
        before = {k: values[k] for k in before}
        for name, value in values.items():
            over_time.setdefault(name, []).append(value)
    return {name: torch.stack(values) for name, values in over_time.items()}


def lstm1997(x: Tensor, states: Values, p: Values, block: int, truncated: bool) -> Values:
    """Hochreiter & Schmidhuber (1997), eqs. 1-9 and A.1, squashing functions of eqs. 3-5.

    Truncated (A.1): the errors that arrive at net inputs do not go back into what was there a step before.
    """
    h, c = states["h"], states["c"]
    gates = {k: states[k] for k in ("i", "o") if k in states}
    spread = members(c.shape[-1] // block, c.shape[-1])
    over_time: dict[str, list[Tensor]] = {}

    def g(a: Tensor) -> Tensor:
        return 4 / (1 + torch.exp(-a)) - 2

    def squash(a: Tensor) -> Tensor:
        return 2 / (1 + torch.exp(-a)) - 1

    for x_t in x:
        seen = h.detach() if truncated else h
        fed = {k: value.detach() if truncated else value for k, value in gates.items()}
        net = {}
        for k in ("i", "o", "z"):
            net[k] = x_t @ p[f"W_{k}"].T + seen @ p[f"U_{k}"].T
            if f"b_{k}" in p:
                net[k] = net[k] + p[f"b_{k}"]
            for other, value in fed.items():
                net[k] = net[k] + value @ p[f"G_{k}{other}"].T
        i, o = (1 / (1 + torch.exp(-net[k])) for k in ("i", "o"))
        z = g(net["z"])
        c = c + (i @ spread.T) * z
        h = (o @ spread.T) * squash(c)
        gates = {k: {"i": i, "o": o}[k] for k in gates}
        for name, value in {"i": i, "z": z, "o": o, "c": c, "h": h}.items():
            over_time.setdefault(name, []).append(value)
    return {name: torch.stack(values) for name, values in over_time.items()}
