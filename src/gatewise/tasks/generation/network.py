"""The generator's network: what came -> recurrent layers -> what comes next.

Legend: T steps, B streams, V labels or events, X features, L layers, H hidden units, K joint units.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from gatewise import cells
from gatewise.errors import ConfigurationError
from gatewise.nn import Recurrent
from gatewise.tasks.generation.frames import FrameEvents

LARGEST_EMBEDDING = 128
States = dict[str, Tensor]  # "0.h", "0.c", "1.h", ...: of each layer its states [B, w]


class GeneratorNetwork(nn.Module):
    """Logits of what comes next, after every step.

    Args:
        frequencies: how often each label is written, or the share of frames in which each event sounds, `[V]`: the
            last layer's biases begin so that it says just that.
        events: whether several sound at a time: inputs are then `[T, B, V]` of 0 and 1, else labels `[T, B]`.
        joint_units: K, of what says which events of a frame go together (see `FrameEvents`); 0: each on its own.
        cell: the name of a published cell that reads nothing but x.
        hidden_size: H.
        num_layers: L.
        dropout: between layers and before the last one.

    >>> network = GeneratorNetwork(np.full(5, 0.2), events=False, cell="gru", hidden_size=4, num_layers=2, dropout=0.0)
    >>> logits, states = network(torch.tensor([[1, 2], [3, 4], [0, 1]]), None)
    >>> logits.shape, {name: tuple(state.shape) for name, state in states.items()}
    (torch.Size([3, 2, 5]), {'0.h': (2, 4), '1.h': (2, 4)})
    """

    def __init__(
        self,
        frequencies: np.ndarray,
        *,
        events: bool,
        joint_units: int = 0,
        cell: str,
        hidden_size: int,
        num_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        size = len(frequencies)
        made = make_cell(cell)
        width = size if events else min(size, LARGEST_EMBEDDING)
        self.events = events
        self.embedding = None if events else nn.Embedding(size, width)
        self.rnn = Recurrent(
            made,
            width,
            hidden_size,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            widths=further_widths(made, hidden_size),
            forget_bias=1.0 if made.memory() else None,
        )
        self.dropout = nn.Dropout(dropout)
        self.frames = FrameEvents(size, joint_units) if joint_units else None
        self.linear = nn.Linear(self.rnn.output_size, size + joint_units)
        shares = torch.from_numpy(np.asarray(frequencies, np.float32))
        with torch.no_grad():
            self.linear.bias[:size] = torch.logit(shares) if events else shares.log()

    def forward(
        self, values: Tensor, states: States | None, resets: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, States]:
        """What is said of what follows each step, and the states after the last one.

        That are logits `[T, B, V]`; with joint units `[T, B, V + K]`, of which `frames` makes logits of a frame.

        Args:
            values: labels int64 `[T, B]`, or events float32 `[T, B, V]`.
            states: before the first step, `[B, w]` each; None for those of a beginning.
            resets: booleans `[T, B]`: a document begins here.
            lengths: of the T steps, how many each stream has.
        """
        before = None if states is None else self._layers(states)
        outputs, after = self.rnn(self.read(values), before, resets=resets, lengths=lengths)
        logits = self.linear(self.dropout(outputs))
        return logits, {
            f"{layer}.{name}": state.squeeze(0) for layer, of in enumerate(after) for name, state in of.items()
        }

    def read(self, values: Tensor) -> Tensor:
        """What the layers read of labels `[...]` or events `[..., V]`: `[..., X]`."""
        return values if self.embedding is None else self.embedding(values)

    def _layers(self, states: States) -> list[dict[str, Tensor]]:
        found: list[dict[str, Tensor]] = [{} for _ in range(self.rnn.num_layers)]
        for full, state in states.items():
            layer, _, name = full.partition(".")
            found[int(layer)][name] = state.unsqueeze(0)
        return found


def make_cell(name: str) -> cells.Cell:
    """A published cell by its name.

    Raises:
        CellError: there is none of that name.
        ConfigurationError: it reads more than x.
    """
    cell = cells.get(name)()
    others = [given for given in cell.trace().inputs if given != "x"]
    if others:
        raise ConfigurationError(
            f'cell is "{name}", which reads {", ".join(others)} besides x: there is nothing of that kind here'
        )
    return cell


def further_widths(cell: cells.Cell, hidden_size: int) -> dict[str, int]:
    """Widths that a cell has beside X and H, such as P of a projection: half of H."""
    names = set(cell.trace().widths()) - {"X", "H", *cell.widths(hidden_size)}
    return {str(name): max(1, math.ceil(hidden_size / 2)) for name in names}
