"""Several workers in processes forked from this one, with torch imported already."""

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from typing import Any

import torch

from gatewise.training.workers import joined


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def together(work: Callable[[int], Any], size: int = 2, seconds: float = 60) -> list[Any]:
    """What `work(rank)` returns in each of `size` workers: its value, or the error it raised; None of one that died."""
    context = multiprocessing.get_context("fork")
    port = str(free_port())
    pipes = [context.Pipe(duplex=False) for _ in range(size)]

    def run(rank: int) -> None:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        torch.set_num_threads(1)  # threads of several processes would wait for one another's turns on few cores
        try:
            with joined():
                found: Any = work(rank)
        except BaseException as error:  # noqa: BLE001  the test looks at it
            traceback.print_exc()
            found = error
        pipes[rank][1].send(found)
        pipes[rank][1].close()
        os._exit(0)

    processes = [context.Process(target=run, args=(rank,), daemon=True) for rank in range(size)]
    for process in processes:
        process.start()
    for _, writer in pipes:
        writer.close()
    found: list[Any] = []
    for process, (reader, _) in zip(processes, pipes, strict=True):
        try:
            found.append(reader.recv() if reader.poll(seconds) else TimeoutError())
        except EOFError:
            found.append(None)
        process.join(5)
        if process.is_alive():
            process.kill()
    return found
