"""JSON-RPC 2.0 with an SPDK application over its Unix socket.

The application reads and writes bare JSON texts, one after the other, with nothing between them: an answer has ended
when its last brace closes, which only reading it tells. It comes in pieces as the socket gives them.

Facts are from "JSON-RPC Methods" of SPDK's documentation.
"""

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from accel.errors import DriverFailure, DriverUnavailable

METHOD_NOT_FOUND = -32601
INVALID_STATE = -1
"""The method is there and may not be called yet: the application waits for ``framework_start_init``."""

_PIECE_BYTES = 65536
_MAX_ANSWER_BYTES = 64 << 20
"""Of an application with tens of thousands of volumes; more is no answer."""


class Refused(DriverFailure):
    """The application understood the call and says no.

    :param number: its error code, of JSON-RPC or a negative ``errno``
    """

    def __init__(self, method: str, number: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({number})")
        self.number = number
        self.message = message


class SpdkClient:
    """A connection to one application, for as long as the ``with`` block lasts.

    :param path: the socket of its JSON-RPC server
    :param timeout_seconds: how long it may take to answer one call
    """

    def __init__(self, path: Path, *, timeout_seconds: float) -> None:
        self._path = path
        self._timeout_seconds = timeout_seconds
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._calls = 0
        self.changes = 0
        """How many calls may have changed something: those that were not refused."""

    def __enter__(self) -> Self:
        self._socket.settimeout(self._timeout_seconds)
        try:
            self._socket.connect(str(self._path))
        except OSError as error:
            self._socket.close()
            raise DriverUnavailable(
                f"no SPDK application answers at {self._path}: {error.strerror or error}", _mend(error)
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def call(self, method: str, **parameters: object) -> Any:
        """Call a method; its result.

        :raises Refused: the application says no
        :raises DriverUnavailable: it does not answer in time, or has gone
        :raises DriverFailure: what it answers is no JSON-RPC
        """
        self._calls += 1
        request: dict[str, object] = {"jsonrpc": "2.0", "id": self._calls, "method": method}
        if parameters:
            request["params"] = parameters
        deadline = time.monotonic() + self._timeout_seconds
        try:
            self._socket.settimeout(self._timeout_seconds)
            self._socket.sendall(json.dumps(request).encode())
            answer = self._answer(deadline)
        except TimeoutError as error:
            raise DriverUnavailable(
                f"the SPDK application at {self._path} has not answered {method} within {self._timeout_seconds:g} s",
                "it may be busy or hang; [spdk] timeout_seconds says how long it is waited for",
            ) from error
        except OSError as error:
            raise DriverUnavailable(
                f"the SPDK application at {self._path} went away during {method}: {error.strerror or error}"
            ) from error
        return _result(method, answer, self._calls)

    def change(self, method: str, **parameters: object) -> Any:
        """Call a method that changes something; its result. See ``call``."""
        self.changes += 1
        try:
            return self.call(method, **parameters)
        except Refused:
            self.changes -= 1
            raise

    def _answer(self, deadline: float) -> Mapping[str, Any]:
        """The next text, when it is whole.

        :raises OSError: the connection has ended, or time is up
        """
        received = bytearray()
        while len(received) < _MAX_ANSWER_BYTES:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            piece = self._socket.recv(_PIECE_BYTES)
            if not piece:
                raise ConnectionResetError("the connection was closed")
            received += piece
            answer = _whole(received)
            if answer is not None:
                return answer
        raise DriverFailure(f"the SPDK application at {self._path} sends an answer without an end")


def _whole(received: bytearray) -> Mapping[str, Any] | None:
    """The answer when all of it is there. Looking at the last byte first keeps long answers from being read anew."""
    if not received.rstrip().endswith(b"}"):
        return None
    try:
        answer = json.loads(received)
    except ValueError:  # a brace inside of it; or not UTF-8 as long as a character is cut
        return None
    return answer if isinstance(answer, dict) else None


def _result(method: str, answer: Mapping[str, Any], call: int) -> Any:
    error = answer.get("error")
    if isinstance(error, dict):
        number = error.get("code")
        raise Refused(method, number if isinstance(number, int) else 0, str(error.get("message", "no reason given")))
    if answer.get("id") != call or "result" not in answer:
        raise DriverFailure(f"what answers {method} does not speak JSON-RPC 2.0 as SPDK does")
    return answer["result"]


def _mend(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "let the agent's user open the socket, or run the agent as the user who runs the application"
    return "start the application, or say in [spdk] sockets where it listens"
