"""Several processes that train one network together: each takes a part of every batch.

All of them run the same program on the same data, draw the same batches and take the same steps; what they do not share
by construction goes over the wire. The first one leads: what its journal says (decisions, the clock, what a checkpoint
holds) is told to the others, so that only it reads and writes checkpoints. Gradients are added in one call of
`all_reduce` a step, each weighted by its part's share in the loss of the batch (see `Divisible`), which makes the step
that of one process up to rounding, whether or not the workers divide the batch evenly.

torch.nn.parallel.DistributedDataParallel averages gradients evenly and inside the backward, which is wrong for parts of
unequal weight, and in the way of gradients that are accumulated, scaled, or taken of noisy weights.
"""

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import TypeVar

import torch
from safetensors.torch import load as unpack_tensors
from safetensors.torch import save as pack_tensors
from torch import Tensor, nn

from gatewise.errors import ConfigurationError, TrainingError, TrainingInterrupted
from gatewise.training.journal import Part
from gatewise.training.objective import Batch, Divisible, Objective

PATIENCE = timedelta(minutes=5)  # that one worker waits for another; who is gone is noticed at once
SEED_APART = 1_000_003  # between the seeds of two workers
DONE, VALUE, STATES, STOPPED = range(4)  # kinds of what the first worker tells the others
Item = TypeVar("Item")


class Team:
    """This process among its like.

    Args:
        rank: its number, from 0 on; 0 leads.
        size: how many there are.

    Attributes:
        stopping: whether they have agreed to end the run where it is.
        asked: whether somebody asked one of them to stop.
        asks: whether somebody asked this one to.
        ends: whether this one, the leader, wants the run to end.
        listening: whether the others wait, or will wait next, for what the leader says. A leader that fails while they
            wait for its part of something else can only leave: what it said would be taken for that part.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.stopping = self.asked = False
        self.listening = True
        self.asks: Callable[[], bool] = lambda: False
        self.ends: Callable[[], bool] = lambda: False

    @property
    def leads(self) -> bool:
        """Whether it is the one that reads and writes."""
        return self.rank == 0

    def part(self, objective: Objective[Batch], batch: Batch) -> tuple[Batch | None, float]:
        """This worker's part of a batch, None if there are fewer sequences than workers, and its share in the loss.

        Raises:
            ConfigurationError: the objective's batches cannot be divided.
        """
        if not isinstance(objective, Divisible):
            raise ConfigurationError("this training cannot be divided among several workers: start it as one process")
        parts = objective.divide(batch, self.size)
        weights = [objective.weight(part) for part in parts]
        if self.rank >= len(parts):
            return None, 0.0
        return parts[self.rank], weights[self.rank] / (sum(weights) or 1.0)

    def agree(self, value: float, *, failed: bool) -> tuple[float, int | None]:
        """The sum of all workers' values, and the first worker that failed; whether to stop is agreed as well."""
        said = torch.zeros(3 + self.size, dtype=torch.float64)
        said[0], said[1], said[2], said[3 + self.rank] = value, self.ends(), self.asks(), failed
        self._all_reduce(said)
        self.stopping = self.stopping or bool(said[1] > 0)
        self.asked = self.asked or bool(said[2] > 0)
        failures = said[3:].nonzero().flatten().tolist()
        return said[0].item(), failures[0] if failures else None

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every worker the sum of all workers' gradients; what has none on any worker has none after it."""
        parameters = list(parameters)
        for dtype in sorted({str(p.dtype) for p in parameters}):
            own = [p for p in parameters if str(p.dtype) == dtype]
            there = torch.tensor([p.grad is not None for p in own], dtype=own[0].dtype, device=own[0].device)
            gradients = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in own]
            flat = torch.cat([*gradients, there])
            self._all_reduce(flat)
            *sums, there = flat.split([*(p.numel() for p in own), len(own)])
            # The optimiser decays the weights of a gradient of 0, and leaves those without one alone.
            for p, gradient, some in zip(own, sums, there.tolist(), strict=True):
                p.grad = gradient.view_as(p) if some else None

    def check_alike(self, about: str, tensors: Iterable[Tensor]) -> None:
        """See that all workers begin with the same bits.

        Raises:
            ConfigurationError: one of them does not, on every worker.
        """
        digest = hashlib.sha256(about.encode())
        for tensor in tensors:
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        found = self.gather({"digest": torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)})
        other = [rank for rank, own in enumerate(found) if not torch.equal(own["digest"], found[0]["digest"])]
        if other:
            raise ConfigurationError(
                f"worker {other[0] + 1} of {self.size} does not begin as the first one: its data, options or versions "
                "are others. All workers need the same files"
            )

    def tell(self, kind: int, content: bytes = b"") -> None:
        """As the leader: say something to all others."""
        self._broadcast(torch.tensor([kind, len(content), self.stopping], dtype=torch.int64), 0)
        if content:
            self._broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8), 0)

    def hear(self) -> tuple[int, bytes]:
        """As another: what the leader says next.

        Raises:
            TrainingInterrupted: the leader was told to stop.
            TrainingError: it had to.
        """
        head = torch.zeros(3, dtype=torch.int64)
        self._broadcast(head, 0)
        kind, length, stopping = (int(number) for number in head)
        self.stopping = bool(stopping)
        content = torch.zeros(length, dtype=torch.uint8)
        if length:
            self._broadcast(content, 0)
        found = content.numpy().tobytes()
        if kind == STOPPED:
            interrupted, said = found[:1] == b"i", found[1:].decode()
            raise TrainingInterrupted(said) if interrupted else TrainingError(f"The first worker stopped: {said}")
        return kind, found

    def gather(self, own: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """What every worker has of the same names and shapes, on every worker."""
        found: list[dict[str, Tensor]] = [{} for _ in range(self.size)]
        for name, tensor in own.items():
            tensors = [torch.empty_like(tensor) for _ in range(self.size)]
            with self._lost():
                torch.distributed.all_gather(tensors, tensor.contiguous())
            for values, value in zip(found, tensors, strict=True):
                values[name] = value
        return found

    def share(self, items: Sequence[Item], compute: Callable[[Item], tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
        """What `compute` makes of each item, on every worker, each of which does a part of the work; on the CPU."""
        own = {k: compute(item) for k, item in enumerate(items) if k % self.size == self.rank}
        found: list[tuple[Tensor, ...]] = []
        for k in range(len(items)):
            source = k % self.size
            mine = {str(n): t.contiguous() for n, t in enumerate(own[k])} if k in own else {}
            content = torch.frombuffer(bytearray(pack_tensors(mine)), dtype=torch.uint8) if k in own else None
            length = torch.tensor([0 if content is None else len(content)])
            self._broadcast(length, source)
            content = torch.empty(int(length), dtype=torch.uint8) if content is None else content
            self._broadcast(content, source)
            tensors = unpack_tensors(content.numpy().tobytes())
            found.append(tuple(tensors[str(n)] for n in range(len(tensors))))
        return found

    def _all_reduce(self, tensor: Tensor) -> None:
        with self._lost():
            torch.distributed.all_reduce(tensor)

    def _broadcast(self, tensor: Tensor, source: int) -> None:
        with self._lost():
            torch.distributed.broadcast(tensor, source)

    @contextmanager
    def _lost(self) -> Iterator[None]:
        """Within, what torch raises of a worker that is gone becomes a sentence."""
        try:
            yield
        except RuntimeError as error:
            raise TrainingError(
                f"Worker {self.rank + 1} of {self.size} lost another one, or waited for it for "
                f"{PATIENCE.total_seconds() / 60:g} minutes; look for what that one said. What was saved last is "
                f"whole: gatewise resume goes on from there. ({str(error).strip().splitlines()[0][:200]})"
            ) from error


_team: ContextVar[Team | None] = ContextVar("team", default=None)
_sharing: ContextVar[bool] = ContextVar("sharing", default=False)


def current_team() -> Team | None:
    """The workers that this process trains with; None if it is alone."""
    return _team.get()


@contextmanager
def joined() -> Iterator[Team | None]:
    """Within, this process works with the others that `torchrun` started, if it did.

    Raises:
        ConfigurationError: the environment is none that torchrun sets.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    if size == "1" or _team.get() is not None:
        yield _team.get()
        return
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing or not size.isdecimal():
        raise ConfigurationError(
            f'WORLD_SIZE is "{size}", but {" and ".join(missing) or "that is no number"}'
            f"{' is not set' if missing else ''}: start several workers with torchrun, or unset WORLD_SIZE"
        )
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.is_available():
        here, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if here >= count:
            raise ConfigurationError(
                f"worker {here + 1} of this machine has no GPU: there {'is' if count == 1 else 'are'} {count}; start "
                f"as many (--nproc-per-node {count}), or hide them (CUDA_VISIBLE_DEVICES=) to train on the CPU"
            )
        torch.cuda.set_device(here)
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
    team = Team(torch.distributed.get_rank(), torch.distributed.get_world_size())
    token = _team.set(team)
    try:
        yield team
    finally:
        _team.reset(token)
        with suppress(RuntimeError):
            torch.distributed.destroy_process_group()


@contextmanager
def sharing() -> Iterator[None]:
    """Within, what goes through `shared` is divided among the workers."""
    token = _sharing.set(True)
    try:
        yield
    finally:
        _sharing.reset(token)


def shared(items: Sequence[Item], compute: Callable[[Item], tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    """What `compute` makes of each item, in their order; by all workers together inside of `sharing`."""
    team = _team.get()
    if team is None or not _sharing.get():
        yield from map(compute, items)
    else:
        yield from team.share(items, compute)


def packed(part: Part | None) -> bytes:
    """A part of a journal as bytes."""
    if part is None:
        return b""
    values = json.dumps(part.values).encode()
    tensors = {name: tensor.contiguous() for name, tensor in part.tensors.items()}
    return struct.pack("<Q", len(values)) + values + pack_tensors(tensors)


def unpacked(content: bytes) -> Part | None:
    """The part that `packed` made bytes of.

    >>> unpacked(packed(Part({"step": 3}, {"weight": torch.ones(2)})))
    Part(values={'step': 3}, tensors={'weight': tensor([1., 1.])})
    """
    if not content:
        return None
    (length,) = struct.unpack_from("<Q", content)
    return Part(json.loads(content[8 : 8 + length]), unpack_tensors(content[8 + length :]))


def described(error: BaseException) -> bytes:
    """How an error of the leader is told to the others."""
    kind = b"i" if isinstance(error, TrainingInterrupted | KeyboardInterrupt) else b"e"
    return kind + (str(error) or type(error).__name__).encode()
