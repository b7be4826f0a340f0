"""Calling gRPC at a Unix socket."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from accel.errors import AccelError, SocketUnavailable
from accel.sockets.status import Code, failed

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.default_authority", "localhost"),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel does not wait because an old one was refused
)


class Client:
    """Calls the methods of a service; connects when it is needed, and again when the connection has ended.

    :param path: of the socket
    """

    def __init__(self, path: Path, service: ServiceDescriptor) -> None:
        self.path = path
        self._service = service
        self._lock = Lock()
        self._channel: grpc.Channel | None = None

    def call(self, method: str, request: Message, *, timeout_seconds: float) -> Any:
        """The answer to a call.

        :raises SocketUnavailable: nobody listens at the socket
        :raises CallFailed: the other end refuses, has gone, or has not answered in time
        """
        channel = self._connected()
        try:
            return channel.unary_unary(*self._forms(method))(request, timeout=timeout_seconds)
        except grpc.RpcError as error:
            raise self._named(channel, error) from error

    def watch(self, method: str, request: Message) -> "Watch":
        """The answers to a call that is answered again and again.

        :raises SocketUnavailable: nobody listens at the socket
        """
        channel = self._connected()
        answers = channel.unary_stream(*self._forms(method))(request)
        return Watch(answers, lambda error: self._named(channel, error))

    def close(self) -> None:
        """End the connection, and all calls with it."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _forms(self, method: str) -> tuple[str, Callable[[Message], bytes], Callable[[bytes], Any]]:
        """The path of a method, how its request is written and its answer read."""
        answer = GetMessageClass(self._service.methods_by_name[method].output_type)
        return f"/{self._service.full_name}/{method}", lambda request: request.SerializeToString(), answer.FromString

    def _connected(self) -> grpc.Channel:
        with self._lock:
            if self._channel is None:
                _try(self.path)
                self._channel = grpc.insecure_channel(f"unix:{self.path}", _OPTIONS)
            return self._channel

    def _named(self, channel: grpc.Channel, error: grpc.RpcError) -> AccelError:
        """Our error for one of grpcio's; after the end of a connection the next call makes a new one."""
        code = Code(error.code().value[0])
        if code is Code.UNAVAILABLE:
            with self._lock:
                if self._channel is channel:
                    self._channel = None
            try:
                _try(self.path)
            except SocketUnavailable as nobody:
                return nobody
        return failed(code, error.details() or "")


class Watch:
    """The answers, as they come. Another thread may end it."""

    def __init__(self, answers: Any, named: Callable[[grpc.RpcError], AccelError]) -> None:
        self._answers = answers
        self._named = named

    def __iter__(self) -> Iterator[Any]:
        """Each answer, until the other end has no more.

        :raises SocketUnavailable: nobody listens any more
        :raises CallFailed: the other end says that something went wrong, or ``cancel`` was called
        """
        try:
            yield from self._answers
        except grpc.RpcError as error:
            raise self._named(error) from error

    def cancel(self) -> None:
        """Want no more."""
        self._answers.cancel()


def _try(path: Path) -> None:
    """Connect once: grpcio says late and in words of its own that nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        try:
            end.connect(str(path))
        except OSError as error:
            raise SocketUnavailable(f"{path}: {error.strerror or error}") from error
