"""Serving gRPC at a Unix socket."""

import logging
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from accel.errors import AccelError, CallFailed, SocketUnavailable
from accel.sockets.connection import Connection
from accel.sockets.peer import Peer, peer_of
from accel.sockets.status import Code, code_of, failed, to_header
from accel.sockets.stream import Stream

_LOG = logging.getLogger(__name__)

MAX_PATH_BYTES = 107
"""The longest path of a socket."""

_BACKLOG = 64
_ANSWER = ((":status", "200"), ("content-type", "application/grpc"))


@dataclass(frozen=True, slots=True)
class Call:
    """A call as its handler sees it."""

    peer: Peer
    _stream: Stream

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._stream.is_over

    def when_over(self, act: Callable[[], None]) -> None:
        """Have something done when that comes true, in another thread."""
        self._stream.when_over(act)


@dataclass(frozen=True, slots=True)
class _Method:
    request: type[Message]
    handler: Callable[[Any, Call], Any]
    is_stream: bool


def methods_of(service: ServiceDescriptor, handlers: Mapping[str, Callable[[Any, Call], Any]]) -> Mapping[str, Any]:
    """The methods of a service, by path, each with who handles it.

    :param handlers: by the method's name; takes the request and the call, and gives the answer, or an iterable of them
    """
    return {
        f"/{service.full_name}/{method.name}": _Method(
            GetMessageClass(method.input_type), handlers[method.name], bool(method.server_streaming)
        )
        for method in service.methods
        if method.name in handlers
    }


class Server:
    """Serves until it is stopped: each connection has a thread, and each call.

    :param path: of the socket; a file that is there already and that nobody listens at is replaced
    :param methods: what ``methods_of`` gives, of one service or several
    :param admits: whether a process may call us; the others are turned away before they can say a word
    :param mode: the permissions of the socket's file
    """

    def __init__(
        self,
        path: Path,
        methods: Mapping[str, Any],
        *,
        admits: Callable[[Peer], bool] = lambda _: True,
        mode: int = 0o600,
    ) -> None:
        self.path = path
        self._methods = methods
        self._admits = admits
        self._mode = mode
        self._listener: socket.socket | None = None
        self._file = (0, 0)
        self._connections: set[Connection] = set()
        self._lock = Lock()
        self._thread = Thread(target=self._accept, name=f"serve {path.name}", daemon=True)

    def start(self) -> None:
        """Listen: when it returns, whoever connects is served.

        :raises SocketUnavailable: another server has the path, or the directory does not let us
        """
        if len(os.fsencode(self.path)) > MAX_PATH_BYTES:
            raise SocketUnavailable(f"{self.path}: the path of a socket has {MAX_PATH_BYTES} bytes at most")
        if _is_served(self.path):
            raise SocketUnavailable(f"{self.path}: another process serves it already")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.path.unlink(missing_ok=True)
            listener.bind(str(self.path))
            self.path.chmod(self._mode)  # before anybody can connect
            self._file = _file(self.path)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise SocketUnavailable(f"{self.path}: {error.strerror}") from error
        self._listener = listener
        self._thread.start()

    @property
    def is_there(self) -> bool:
        """Whether the socket's file is where it was, and ours."""
        return self._file == _file(self.path)

    def stop(self) -> None:
        """Serve nobody any more. When it returns, the file is gone, and everybody has been told."""
        listener = self._listener
        if listener is None:
            return
        self._listener = None
        if self.is_there:
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._thread.join()
        listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and self._listener is not None:
            try:
                end, _ = listener.accept()
            except OSError:
                return
            self._welcome(end)

    def _welcome(self, end: socket.socket) -> None:
        peer = peer_of(end)
        if not self._admits(peer):
            _LOG.warning("%s: process %d of user %d is turned away", self.path, peer.pid, peer.uid)
            end.close()
            return
        connection = Connection(end, take_call=lambda on, stream: self._begin(on, stream, Call(peer, stream)))
        with self._lock:
            self._connections = {one for one in self._connections if not one.is_over} | {connection}
        connection.start()

    def _begin(self, connection: Connection, stream: Stream, call: Call) -> None:
        Thread(target=self._answer, args=(connection, stream, call), name=stream.path, daemon=True).start()

    def _answer(self, connection: Connection, stream: Stream, call: Call) -> None:
        code, text = Code.OK, ""
        connection.send_headers(stream, _ANSWER)
        try:
            for message in self._answers(stream, call):
                connection.send(stream, message.SerializeToString())
        except AccelError as error:
            code, text = code_of(error), error.text if isinstance(error, CallFailed) else str(error)
        except Exception:  # noqa: BLE001  # the border: a handler may raise anything
            _LOG.exception("%s has failed", stream.path)
            code, text = Code.INTERNAL, "the server has failed; its log says where"
        connection.send_headers(
            stream, (("grpc-status", str(int(code))), ("grpc-message", to_header(text))), is_last=True
        )

    def _answers(self, stream: Stream, call: Call) -> Any:
        method = self._methods.get(stream.path)
        if method is None:
            raise failed(Code.UNIMPLEMENTED, f"unknown method {stream.path}")
        try:
            request = method.request.FromString(stream.next(0) or b"")
        except DecodeError as error:
            raise failed(Code.INVALID_ARGUMENT, f"the request cannot be read: {error}") from error
        answer = method.handler(request, call)
        return answer if method.is_stream else (answer,)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller, suppress(OSError):
        caller.connect(str(path))
        return True
    return False


def _file(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_dev, found.st_ino
