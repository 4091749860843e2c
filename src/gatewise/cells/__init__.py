"""Published cells, each a few equations with its paper, and the base class to write one's own.

`list()` names the published cells, `get(name)` gives one's class; each class is also an attribute of this module.

>>> import gatewise.cells
>>> gatewise.cells.get("phased") is gatewise.cells.PhasedLSTM
True
"""

from typing import TYPE_CHECKING, Any

from gatewise.cells.catalogue import entry, get, list
from gatewise.cells.cell import Cell, Input, LogUniform, Observed, Start, State, Uniform
from gatewise.cells.grid_cell import GridCell
from gatewise.cells.mdlstm import MDLSTM

if TYPE_CHECKING:
    # For type checkers and editors alone, which cannot see what is found: a cell that is not here works all the same.
    from gatewise.cells.ea_lstm import EALSTM as EALSTM
    from gatewise.cells.elman import Elman as Elman
    from gatewise.cells.gru import GRU as GRU
    from gatewise.cells.gru import GRUCho as GRUCho
    from gatewise.cells.gru_d import GRUD as GRUD
    from gatewise.cells.janet import JANET as JANET
    from gatewise.cells.lstm import CIFG as CIFG
    from gatewise.cells.lstm import LSTM as LSTM
    from gatewise.cells.lstm import LSTMP as LSTMP
    from gatewise.cells.lstm import LayerNormLSTM as LayerNormLSTM
    from gatewise.cells.lstm import OdysseyCIFG as OdysseyCIFG
    from gatewise.cells.lstm import OdysseyFGR as OdysseyFGR
    from gatewise.cells.lstm import OdysseyNFG as OdysseyNFG
    from gatewise.cells.lstm import OdysseyNIAF as OdysseyNIAF
    from gatewise.cells.lstm import OdysseyNIG as OdysseyNIG
    from gatewise.cells.lstm import OdysseyNOAF as OdysseyNOAF
    from gatewise.cells.lstm import OdysseyNOG as OdysseyNOG
    from gatewise.cells.lstm import OdysseyNP as OdysseyNP
    from gatewise.cells.lstm import PeepholeLSTM as PeepholeLSTM
    from gatewise.cells.lstm1997 import LSTM1997 as LSTM1997
    from gatewise.cells.mgu import MGU as MGU
    from gatewise.cells.multiplicative_lstm import MultiplicativeLSTM as MultiplicativeLSTM
    from gatewise.cells.phased_lstm import PhasedLSTM as PhasedLSTM
    from gatewise.cells.slstm import SLSTM as SLSTM

__all__ = [
    "MDLSTM",
    "Cell",
    "GridCell",
    "Input",
    "LogUniform",
    "Observed",
    "Start",
    "State",
    "Uniform",
    "entry",
    "get",
    "list",
]


def __getattr__(name: str) -> Any:
    # A cell's name begins with a capital; all else would only be asked for by import machinery and inspection.
    for known in list() if name[:1].isupper() else ():
        if get(known).__name__ == name:
            return get(known)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> tuple[str, ...]:
    return (*__all__, *(get(name).__name__ for name in list()))
