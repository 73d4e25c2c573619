"""The worker: ``python -m CranialReconstructionLib.engine.worker``, requests in, answers out.

Standard input and output carry nothing but the protocol; whatever prints, prints on standard error. The
process ends when its standard input does, since then whoever started it is gone.
"""

from __future__ import annotations

import logging
import os
import platform
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Any, BinaryIO, Protocol

from CranialReconstructionLib import __version__
from CranialReconstructionLib.engine.faults import failure_of
from CranialReconstructionLib.engine.protocol import (
    LONGEST_LINE,
    Cancel,
    Failure,
    Heartbeat,
    Hello,
    Message,
    Progress,
    ProtocolError,
    Request,
    Result,
    Shutdown,
    decode,
    encode,
)
from CranialReconstructionLib.errors import UserError

HEARTBEAT_SECONDS = 1.0
# A job that does not look up for this long after the end was asked for is not waited for.
LAST_SECONDS = 1.0

log = logging.getLogger(__name__)


class Report(Protocol):
    """Is told each stage as it begins; raises ``JobCancelledError`` if the job shall stop there."""

    def __call__(self, stage: str, fraction: float | None = None) -> None: ...


Operation = Callable[[Mapping[str, Any], Report], Mapping[str, Any]]


class JobCancelledError(Exception):
    """The client no longer wants the job."""


class Worker:
    """Does one request after another, in the order in which they came.

    Args:
        operations: what can be asked for, by name.
        outgoing: the protocol's way out.
    """

    def __init__(self, operations: Mapping[str, Operation], outgoing: BinaryIO) -> None:
        self._operations = operations
        self._outgoing = outgoing
        self._sending = threading.Lock()
        self._inbox: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._running: int | None = None
        self._over = threading.Event()

    def run(self, incoming: BinaryIO) -> None:
        """Serve until ``incoming`` ends or the client asks for the end."""
        self._send(encode(hello()))
        threading.Thread(target=self._listen, args=(incoming,), daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        while (request := self._inbox.get()) is not None and not self._over.is_set():
            self._send(self._answer(request))
        self._over.set()

    def _answer(self, request: Request) -> bytes:
        def report(stage: str, fraction: float | None = None) -> None:
            if request.id in self._cancelled or self._over.is_set():
                raise JobCancelledError
            self._send(encode(Progress(request.id, stage, fraction)))

        self._running = request.id
        try:
            if request.id in self._cancelled:
                raise JobCancelledError
            if request.operation not in self._operations:
                raise UserError(
                    f"the operation {request.operation!r} is unknown",
                    where="request",
                    remedy=f"Use one of {', '.join(self._operations)}.",
                )
            content = self._operations[request.operation](request.arguments, report)
            # Inside the block: content that is no JSON is a bug like any other.
            return encode(Result(request.id, content))
        except JobCancelledError:
            return encode(Failure(request.id, "cancelled", "the job was cancelled", request.operation))
        except Exception as error:
            log.exception("job %d (%s) failed", request.id, request.operation)
            return encode(failure_of(error, request.id))
        finally:
            self._running = None
            self._cancelled.discard(request.id)

    def _listen(self, incoming: BinaryIO) -> None:
        while line := incoming.readline(LONGEST_LINE + 1):
            try:
                message: Message = decode(line)
            except ProtocolError as error:
                self._send(encode(Failure(error.id, "protocol", error.problem, "request")))
                continue
            if isinstance(message, Request):
                self._inbox.put(message)
            elif isinstance(message, Cancel):
                self._cancelled.add(message.id)
            elif isinstance(message, Shutdown):
                break
            else:
                self._send(encode(Failure(None, "protocol", f"a worker is not sent {message}"[:200], "request")))
        self._over.set()
        self._inbox.put(None)
        threading.Event().wait(LAST_SECONDS)
        os._exit(1)

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            self._send(encode(Heartbeat(self._running)))

    def _send(self, line: bytes) -> None:
        # When nobody reads any more, nobody writes either, and the end of the input tells.
        with self._sending, suppress(OSError):
            self._outgoing.write(line)
            self._outgoing.flush()


def hello() -> Hello:
    """This process, introduced."""
    torch: str | None = None
    with suppress(PackageNotFoundError):
        torch = version("torch")
    return Hello(__version__, platform.python_version(), torch, sys.executable, os.getpid())


def serve(operations: Mapping[str, Operation]) -> int:
    """Be the worker of whoever holds the other ends of standard input and output; the exit status."""
    incoming, outgoing = _reserved()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _terminate)
    Worker(operations, outgoing).run(incoming)
    return 0


def _reserved() -> tuple[BinaryIO, BinaryIO]:
    """Own copies of standard input and output, which then hold nothing and go to standard error.

    The copies are not inherited, so that no child of ours keeps the client's pipe open.
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    """Serve the operations of this library."""
    from CranialReconstructionLib.engine.operations import Operations

    return serve(Operations().table())


if __name__ == "__main__":
    sys.exit(main())
