"""Writing on: one symbol after the other, each drawn from what the network says of it.

Legend: V labels or events.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gatewise.tasks.generation.events import Frame
from gatewise.tasks.generation.network import GeneratorNetwork
from gatewise.tasks.generation.sampling import Sampler
from gatewise.tasks.generation.symbols import END, EventSymbols, TextSymbols


class Writer:
    """A network in the middle of a document, by the layers' own stream: a step costs the same however long it is.

    Args:
        network: in evaluation mode.

    Attributes:
        logits: of what comes next, `[V]` (of joint events what the network says of the frame, `[V + K]`).
    """

    def __init__(self, network: GeneratorNetwork) -> None:
        self._network = network
        self._device = next(network.parameters()).device
        self._stream = network.rnn.stream()
        self.logits = torch.empty(0)

    @torch.no_grad()
    def read(self, values: Tensor) -> Tensor:
        """Take rows, labels `[T]` or events `[T, V]`, T >= 1; the logits of what comes next."""
        inputs = self._network.read(values.to(self._device))
        output = self._stream.feed(inputs.unsqueeze(1))[-1]
        self.logits = self._network.linear(output)[0]
        return self.logits


def write_text(
    network: GeneratorNetwork, symbols: TextSymbols, prompt: Sequence[int], length: int, sampler: Sampler
) -> Iterator[str]:
    """What follows the labels of a prompt, symbol by symbol, up to the text's end or `length` symbols."""
    writer = Writer(network)
    logits = writer.read(torch.tensor([END, *prompt]))
    for count in range(length):
        label = sampler.label(logits)
        if label == END:
            return
        yield symbols.write(label, first=not prompt and count == 0)
        logits = writer.read(torch.tensor([label]))


def write_events(
    network: GeneratorNetwork, symbols: EventSymbols, prompt: Tensor, length: int, sampler: Sampler
) -> Iterator[Frame]:
    """What follows the frames `[T, V]` of a prompt, frame by frame."""
    writer = Writer(network)
    logits = writer.read(torch.cat([torch.zeros(1, symbols.size), prompt.float()]))
    for _ in range(length):
        row = sampler.events(logits) if network.frames is None else sampler.frame(logits, network.frames)
        yield symbols.frame(row.numpy())
        logits = writer.read(row.float()[None])
