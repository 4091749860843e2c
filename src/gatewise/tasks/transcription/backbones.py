"""Networks by name: what stands in front of the LSTM, and how large the LSTM is."""

from dataclasses import dataclass, replace

from gatewise.errors import ConfigurationError, nearest

# By how much a network may shorten its input, the strongest first: see `choose_subsampling`.
SUBSAMPLINGS = (4, 2, 1)


@dataclass(frozen=True)
class Backbone:
    """A network over frames `[T, X]`, up to its last LSTM layer.

    Attributes:
        hidden_size: H of each direction.
        num_layers: LSTM layers.
        bidirectional: whether they read in both directions; those that do not can be streamed.
        channels: of the convolutions in front of them, each of which halves what frames are high; none without.
        paper: where it comes from, and how it differs from there.
        levels: of a multidimensional LSTM's lower levels the cells of each direction and the tanh units above them; its
            last level has `hidden_size` cells of each direction. None where a sequence is read.
    """

    hidden_size: int
    num_layers: int
    bidirectional: bool
    channels: tuple[int, ...]
    paper: str
    levels: tuple[tuple[int, int], ...] = ()


BACKBONES: dict[str, Backbone] = {
    "blstm": Backbone(
        128, 2, True, (),
        "Graves, Liwicki, Fernández, Bertolami, Bunke & Schmidhuber (2009), A Novel Connectionist System for "
        "Unconstrained Handwriting Recognition; two layers of 128 cells where the paper has one of 100, no peepholes, "
        "and neighbouring frames are joined.",
    ),
    "deep-blstm": Backbone(
        250, 3, True, (),
        "Graves, Mohamed & Hinton (2013), Speech Recognition with Deep Recurrent Neural Networks, network CTC-3l-250h; "
        "without peepholes, and neighbouring frames are joined.",
    ),
    "conv-blstm": Backbone(
        128, 1, True, (8, 16, 32),
        "Shi, Bai & Yao (2017), An End-to-End Trainable Neural Network for Image-based Sequence Recognition, with a "
        "convolutional part that is much smaller.",
    ),
    "mdlstm": Backbone(
        50, 3, True, (),
        "Graves & Schmidhuber (2009), Offline Handwriting Recognition with Multidimensional Recurrent Neural Networks; "
        "the stable cell of Leifert et al. (2016) without peepholes, smaller windows, and larger lower levels.",
        ((8, 16), (20, 40)),
    ),
    "lstm": Backbone(
        192, 2, False, (),
        "The network of \"blstm\" that reads forward only, for streams: Graves, Fernández, Gomez & Schmidhuber (2006), "
        "section 5.1, have it as a rival of theirs.",
    ),
}  # fmt: skip


def backbone(name: str, hidden_size: int | None = None, num_layers: int | None = None) -> Backbone:
    """The network called `name`, with other sizes where they are given.

    Raises:
        ConfigurationError: there is none of that name, or it has not so many layers.

    >>> backbone("deep-blstm", num_layers=5).num_layers
    5
    >>> backbone("bilstm")
    Traceback (most recent call last):
        ...
    gatewise.errors.ConfigurationError: backbone is "bilstm", did you mean "blstm"? There is: blstm, conv-blstm, ...
    """
    if name not in BACKBONES:
        raise ConfigurationError(f'backbone is "{name}", {nearest(str(name), BACKBONES)}')
    found = BACKBONES[name]
    found = found if hidden_size is None else replace(found, hidden_size=int(hidden_size))
    if found.levels and num_layers not in (None, found.num_layers):
        raise ConfigurationError(
            f'num_layers is {num_layers}, but the backbone "{name}" has {found.num_layers} levels: leave it out'
        )
    return found if num_layers is None else replace(found, num_layers=int(num_layers))
