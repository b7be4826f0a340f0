"""Calling gRPC at a Unix socket."""

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from accel.errors import SocketUnavailable
from accel.sockets.connection import Connection
from accel.sockets.status import Code, failed
from accel.sockets.stream import Stream

_CONNECT_SECONDS = 5.0


class Client:
    """Calls the methods of a service; connects when it is needed, and again when the connection has ended.

    :param path: of the socket
    """

    def __init__(self, path: Path, service: ServiceDescriptor) -> None:
        self.path = path
        self._service = service
        self._lock = Lock()
        self._connection: Connection | None = None

    def call(self, method: str, request: Message, *, timeout_seconds: float) -> Any:
        """The answer to a call.

        :raises SocketUnavailable: nobody listens at the socket
        :raises CallFailed: the other end refuses, has gone, or has not answered in time
        """
        connection, stream = self._begin(method, request, timeout_seconds)
        try:
            answer = stream.next(timeout_seconds)
            if answer is None:
                raise failed(Code.INTERNAL, "an answer without a message")
            stream.next(timeout_seconds)  # how it ended
        finally:
            connection.cancel(stream)
        return GetMessageClass(self._service.methods_by_name[method].output_type).FromString(answer)

    def watch(self, method: str, request: Message) -> "Watch":
        """The answers to a call that is answered again and again.

        :raises SocketUnavailable: nobody listens at the socket
        """
        connection, stream = self._begin(method, request, None)
        return Watch(connection, stream, GetMessageClass(self._service.methods_by_name[method].output_type))

    def close(self) -> None:
        """End the connection, and all calls with it."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin(self, method: str, request: Message, timeout_seconds: float | None) -> tuple[Connection, Stream]:
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/{self._service.full_name}/{method}"),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "accel"),
        ]
        if timeout_seconds is not None:
            headers.append(("grpc-timeout", f"{max(1, round(timeout_seconds * 1000))}m"))
        connection = self._connected()
        return connection, connection.call(headers, request.SerializeToString())

    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is None or self._connection.is_over:
                self._connection = _connection(self.path)
            return self._connection


class Watch:
    """The answers, as they come. Another thread may end it."""

    def __init__(self, connection: Connection, stream: Stream, answer: type[Message]) -> None:
        self._connection = connection
        self._stream = stream
        self._answer = answer

    def __iter__(self) -> Iterator[Any]:
        """Each answer; ends when the other end has no more, or ``cancel`` was called.

        :raises CallFailed: the other end has gone, or says that something went wrong
        """
        while (found := self._stream.next()) is not None:
            yield self._answer.FromString(found)

    def cancel(self) -> None:
        """Want no more."""
        self._connection.cancel(self._stream)


def _connection(path: Path) -> Connection:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.settimeout(_CONNECT_SECONDS)
        end.connect(str(path))
        end.settimeout(None)
    except OSError as error:
        end.close()
        raise SocketUnavailable(f"{path}: {error.strerror or error}") from error
    connection = Connection(end)
    connection.start()
    return connection
