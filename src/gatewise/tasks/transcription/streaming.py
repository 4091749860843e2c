"""A transcriber that is given its recording bit by bit.

Legend: T frames, X features of a frame, K frames that become one step, V labels with the blank among them.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gatewise.data.text import Vocabulary
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc import BeamDecoder, BeamStream, GreedyStream
from gatewise.tasks.transcription.network import JoinedFrames, TranscriberNetwork
from gatewise.tasks.transcription.networks import Network
from gatewise.tasks.transcription.transcription import Transcription, transcription

if TYPE_CHECKING:
    from gatewise.data.audio import SpeechFeatures


class TranscriberStream:
    """Reads one recording whose frames come bit by bit.

    A step of the network is taken as soon as its K frames and the `look_ahead` frames after them are there, so the text
    is never more than K - 1 + look_ahead frames late. However the recording is cut, the text in the end is that of the
    whole: logits are the same but for the rounding of the last layer's sums.

    A model of sound hears samples: `hear` makes frames of them, as the front end does of the whole.

    Attributes:
        frames: how many frames it was given.
        steps: how many steps the network has taken.
        look_ahead: how many frames a step may have to wait for after its own first one.
    """

    def __init__(
        self, network: Network, vocabulary: Vocabulary, beam: int, features: "SpeechFeatures | None" = None
    ) -> None:
        front = network.front
        layered = isinstance(network, TranscriberNetwork)
        if not layered or network.lstm.bidirectional or not isinstance(front, JoinedFrames):
            raise ConfigurationError(
                "this model reads its recordings in both directions, so it has to have all of one before it can begin: "
                'for streams train one with backbone="lstm"'
            )
        self.look_ahead = front.subsampling - 1 + front.look_ahead
        self._network, self._vocabulary, self._beam, self._front = network, vocabulary, beam, front
        self._features = features
        self._lstm = network.lstm.stream()
        self.reset()

    def reset(self) -> None:
        """Begin the next recording."""
        self.frames = self.steps = 0
        self._finished = False
        self._sound = None if self._features is None else self._features.stream()
        self._waiting = torch.zeros(0, len(self._network.mean), device=self._network.mean.device)
        self._logits: list[Tensor] = []
        self._lstm.reset()
        self._found: GreedyStream | BeamStream = (
            GreedyStream() if self._beam == 1 else BeamDecoder(width=self._beam).stream()
        )

    def feed(self, frames: np.ndarray) -> str:
        """Take frames; the text so far, whose end may still change.

        Args:
            frames: `[T, X]`, any number of them; as `front_end_.frames` makes them.

        Raises:
            DataError: frames of another shape, or that are no finite numbers; the recording is finished.
        """
        if self._finished:
            raise DataError("this recording is finished: reset() begins the next one")
        found = np.asarray(frames, np.float32)
        if found.ndim != 2 or found.shape[1] != len(self._network.mean):
            raise DataError(f"expected frames [T, {len(self._network.mean)}], got {list(found.shape)}")
        if not np.isfinite(found).all():
            raise DataError(f"frame {self.frames + int(np.argwhere(~np.isfinite(found))[0, 0])} is not finite")
        self.frames += len(found)
        with torch.no_grad():
            self._waiting = torch.cat(
                [self._waiting, self._network.standardised(torch.from_numpy(found).to(self._waiting.device))]
            )
        self._take((len(self._waiting) - self._front.look_ahead) // self._front.subsampling)
        return self.text

    def hear(self, samples: np.ndarray) -> str:
        """Take samples of sound; the text so far, whose end may still change.

        Args:
            samples: float32 `[N]`, any number of them, at the rate of the front end's features.

        Raises:
            ConfigurationError: the model is not of sound.
            DataError: samples of another shape or type, or that are no finite numbers; the recording is finished.
        """
        if self._sound is None:
            raise ConfigurationError("this model does not hear sound: feed it frames")
        return self.feed(self._sound.feed(samples))

    def finish(self) -> Transcription:
        """The recording has ended: its text.

        Raises:
            DataError: it had no frames.
        """
        if self._sound is not None and not self._finished:
            self.feed(self._sound.finish())
        if self.frames == 0:
            raise DataError("the recording has no frames: there is nothing to read")
        if not self._finished:
            self._finished = True
            left = -(-len(self._waiting) // self._front.subsampling)
            missing = left * self._front.subsampling + self._front.look_ahead - len(self._waiting)
            self._waiting = torch.cat([self._waiting, self._waiting.new_zeros(missing, self._waiting.shape[1])])
            self._take(left)
        best = self._found.best()
        hypothesis = best[0] if isinstance(best, list) else best
        return transcription(hypothesis, torch.cat(self._logits), self._vocabulary, self._front.subsampling)

    @property
    def text(self) -> str:
        """What was read so far."""
        best = self._found.best()
        return self._vocabulary.decode((best[0] if isinstance(best, list) else best).labels)

    @property
    def logits(self) -> Tensor:
        """The network's outputs so far, `[steps, V]`."""
        empty = torch.zeros(0, self._network.linear.out_features)
        return torch.cat([empty, *self._logits])

    def _take(self, steps: int) -> None:
        """Take so many steps of the frames that wait."""
        if steps <= 0:
            return
        k = self._front.subsampling
        with torch.no_grad():
            windows = self._waiting[: steps * k + self._front.look_ahead].unfold(0, k + self._front.look_ahead, k)
            outputs = self._lstm.feed(windows.transpose(1, 2).reshape(steps, 1, -1))
            logits = self._network.linear(outputs).squeeze(1).cpu()
        self._waiting = self._waiting[steps * k :]
        self._logits.append(logits)
        self._found.feed(logits)
        self.steps += steps
