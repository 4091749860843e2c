"""The multidimensional LSTM as a layer over images.

Legend: B images, R rows, C columns, X inputs, H hidden units, D directions, G net inputs, M other trained vectors.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gatewise import cells
from gatewise.backends import grid, grid_cpu
from gatewise.cells import GridCell
from gatewise.equations.grid import GridProgram
from gatewise.errors import ConfigurationError, DataError, nearest
from gatewise.nn.widths import check_size

Merge = Literal["concat", "sum"]
Backend = Literal["auto", "cpu", "reference"]
Sizes = Tensor | Sequence[Sequence[int]]


class MDLSTM(nn.Module):
    """Multidimensional LSTM over images: Graves, Fernández & Schmidhuber (2007), section 2 and 3.

    Every position reads its input and the states of the neighbours above and to the left; three more networks, with
    weights of their own, read from the other corners, so that together they see the whole image from every position.

    On CPUs a compiled walk over anti-diagonals runs it (float32 and float64; bits do not depend on the number of
    threads); `backend="reference"`, and "auto" elsewhere, walks in torch operations. Both are differentiable any number
    of times.

    Args:
        input_size: X.
        hidden_size: H, of each direction.
        cell: the equations; by default `gatewise.cells.MDLSTM()`, the stable cell; `MDLSTM("forget", peephole=True)` is
            that of 2007. Any `gatewise.cells.GridCell` will do.
        directions: which corners are walked from, in the order of the outputs: of "down-right" (from the upper left
            corner), "up-right", "down-left" and "up-left".
        merge: "concat" for outputs `[B, R, C, D * H]`, "sum" for the sum over directions `[B, R, C, H]`.
        device: of the parameters.
        dtype: of the parameters.
        backend: "auto", "cpu" or "reference".

    Attributes:
        weights: `[D, G * H, X + 2 H]`: for each net input (gates and block input, in the order of the equations) the
            rows of its matrices for the input, the output above and the output to the left.
        vectors: `[D, G + M, H]`: the biases of the net inputs, then what else is trained (peepholes).

    Raises:
        ConfigurationError: an argument is not usable, or the chosen backend cannot run a call.
        CellError: the cell's equations do not fit a grid.

    >>> layer = MDLSTM(1, 4)
    >>> layer(torch.randn(2, 5, 7, 1), sizes=[(5, 7), (3, 4)]).shape
    torch.Size([2, 5, 7, 16])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        cell: GridCell | None = None,
        directions: Sequence[str] = tuple(grid.DIRECTIONS),
        merge: Merge = "concat",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        check_size("input_size", input_size, 1)
        check_size("hidden_size", hidden_size, 1)
        if cell is not None and not isinstance(cell, GridCell):
            raise ConfigurationError(f"cell={cell!r} must be a gatewise.cells.GridCell, as gatewise.cells.MDLSTM()")
        if merge not in get_args(Merge):
            raise ConfigurationError(f"merge={merge!r} is not known; {nearest(str(merge), get_args(Merge))}")
        if backend not in get_args(Backend):
            raise ConfigurationError(f"backend={backend!r} is not known; {nearest(str(backend), get_args(Backend))}")
        if isinstance(directions, str) or not directions:
            raise ConfigurationError(f"directions={directions!r} must name some of {', '.join(grid.DIRECTIONS)}")
        for name in directions:
            if name not in grid.DIRECTIONS:
                raise ConfigurationError(f"directions: {name!r} is not known; {nearest(str(name), grid.DIRECTIONS)}")
        if len(set(directions)) < len(directions):
            raise ConfigurationError(f"directions={tuple(directions)!r} names one of them twice")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.cell = cells.MDLSTM() if cell is None else cell
        self.directions = tuple(directions)
        self.merge: Merge = merge
        self.backend: Backend = backend
        n, m = len(self._program.nets), len(self._program.vectors)
        count, size = len(self.directions), hidden_size
        self.weights = nn.Parameter(torch.empty(count, n * size, input_size + 2 * size, device=device, dtype=dtype))
        self.vectors = nn.Parameter(torch.empty(count, n + m, size, device=device, dtype=dtype))
        self.reset_parameters()

    @property
    def _program(self) -> GridProgram:
        return self.cell.program()  # remembered for each cell: copies of a layer share it

    @property
    def output_size(self) -> int:
        """Units of an output: D * H, or H where directions are summed."""
        return self.hidden_size * (len(self.directions) if self.merge == "concat" else 1)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all parameters anew: uniform within 1 / sqrt(H), as torch's LSTM, but what the cell itself sets."""
        bound = 1 / math.sqrt(self.hidden_size)
        nn.init.uniform_(self.weights, -bound, bound)
        nn.init.uniform_(self.vectors, -bound, bound)
        for name, value in self.cell.memory().items():
            for direction in self.directions:
                self.equation_parameters(direction)[name].fill_(value)

    def equation_parameters(self, direction: str) -> dict[str, Tensor]:
        """Views of one direction's parameters by the names of the cell's equations.

        Raises:
            ConfigurationError: the layer does not have this direction.
        """
        if direction not in self.directions:
            raise ConfigurationError(f"direction={direction!r}: {nearest(str(direction), self.directions)}")
        d = self.directions.index(direction)
        return grid.named(self._program, self.weights[d], self.vectors[d], self.input_size)

    def forward(self, images: Tensor, sizes: Sizes | None = None) -> Tensor:
        """The outputs `[B, R, C, D * H]` (`[B, R, C, H]` where directions are summed).

        Args:
            images: `[B, R, C, X]`.
            sizes: the rows and columns of each image, `[B, 2]`, where not all are as large as the batch. What lies
                beyond them is not looked at, and 0 in the output.

        Raises:
            DataError: images or sizes that do not fit.
            ConfigurationError: the chosen backend cannot run the call.
        """
        extents = self._checked(images, sizes)
        program, directions = self._program, [grid.DIRECTIONS[name] for name in self.directions]
        walk = grid_cpu.run if self._chosen(images)[0] == "cpu" else grid.reference
        found = walk(program, images, extents, directions, self.weights, self.vectors)
        return found.flatten(3) if self.merge == "concat" else found.sum(3)

    def explain(self, images: Tensor) -> str:
        """Which backend would run a call with these images, and why not the other."""
        chosen, reason = self._chosen(images)
        how = 'the first of "auto" that can' if self.backend == "auto" else "asked for by name"
        verdict = "could run the call" if reason is None else f"cannot: {reason}"
        return "\n".join(
            [
                f"backend: {chosen} ({how})",
                f"  cpu: {'runs the call' if chosen == 'cpu' else verdict}",
                f"  reference: {'runs the call' if chosen == 'reference' else 'could run the call'}",
            ]
        )

    def _chosen(self, images: Tensor) -> tuple[str, str | None]:
        """The backend of a call, and why the compiled core cannot run it."""
        reason = grid_cpu.supports(images)
        if self.backend == "cpu" and reason is not None:
            raise ConfigurationError(f'backend="cpu" cannot run the call: {reason}; "reference" can')
        return ("reference" if self.backend == "reference" or reason is not None else "cpu"), reason

    def _checked(self, images: Tensor, sizes: Sizes | None) -> Tensor:
        """The extents int64 `[B, 2]`, on the CPU."""
        who = type(self).__name__
        if not isinstance(images, Tensor):
            raise DataError(
                f"{who}: expected images as a Tensor [B, R, C, {self.input_size}], got {type(images).__name__}"
            )
        if images.dim() != 4 or images.shape[-1] != self.input_size:
            raise DataError(
                f"{who}: expected images of shape [B, R, C, {self.input_size}], features last; got {list(images.shape)}"
            )
        if images.dtype != self.weights.dtype or images.device != self.weights.device:
            raise DataError(
                f"{who}: the images are {images.dtype} on {images.device}, the parameters {self.weights.dtype} on "
                f"{self.weights.device}; move one of them with .to(...)"
            )
        batch, rows, columns = images.shape[:3]
        if not rows or not columns:
            raise DataError(
                f"{who}: expected at least one row and one column, got images of shape {list(images.shape)}"
            )
        if sizes is None:
            return torch.tensor([rows, columns]).expand(batch, 2).contiguous()
        try:
            given = sizes.detach().cpu() if isinstance(sizes, Tensor) else torch.tensor([list(pair) for pair in sizes])
        except (TypeError, ValueError) as error:
            raise DataError(f"{who}: expected sizes as whole numbers [B, 2], got {sizes!r} ({error})") from error
        if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
            raise DataError(f"{who}: expected sizes as whole numbers [B, 2], got {given.dtype}")
        if given.shape != (batch, 2):
            raise DataError(
                f"{who}: expected sizes [{batch}, 2], rows and columns of each image, got {list(given.shape)}"
            )
        extents = given.to(torch.int64).contiguous()
        for b, (height, width) in enumerate(extents.tolist()):
            if not (0 <= height <= rows and 0 <= width <= columns):
                raise DataError(
                    f"{who}: sizes[{b}] is ({height}, {width}); expected 0 to {rows} rows and 0 to {columns} columns, "
                    "the padded size"
                )
        return extents

    def extra_repr(self) -> str:
        """What the layer was made with."""
        how = f"directions={self.directions}, merge={self.merge!r}"
        return f"{self.input_size}, {self.hidden_size}, cell={self.cell}, {how}"
