"""Serving gRPC at a Unix socket."""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from accel.errors import AccelError, CallFailed, SocketUnavailable
from accel.sockets.gate import Gate
from accel.sockets.peer import Peer
from accel.sockets.status import Code, code_of

_LOG = logging.getLogger(__name__)

MAX_PATH_BYTES = 107
"""The longest path of a socket."""

_UMASK = Lock()
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0))


@dataclass(frozen=True, slots=True)
class Call:
    """A call as its handler sees it."""

    peer: Peer | None
    """Who calls; None where the server does not ask."""
    _context: Any

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return not self._context.is_active()

    def when_over(self, act: Callable[[], None]) -> None:
        """Have something done when that comes true, in another thread."""
        if not self._context.add_callback(act):
            act()


@dataclass(frozen=True, slots=True)
class _Method:
    request: Any
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


class Server(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """Serves until it is stopped; each call that is under way has a thread.

    :param path: of the socket; a file that is there already and that nobody listens at is replaced
    :param methods: what ``methods_of`` gives, of one service or several
    :param admits: whether a process may call us, where the permissions of the file do not decide it
    :param mode: the permissions of the socket's file
    """

    def __init__(
        self,
        path: Path,
        methods: Mapping[str, Any],
        *,
        admits: Callable[[Peer], bool] | None = None,
        mode: int = 0o600,
    ) -> None:
        self.path = path
        self._methods = methods
        self._mode = mode
        self._file = (-1, -1)
        self._server = grpc.server(_ThreadForEach(), handlers=[self], options=_OPTIONS)
        # grpcio removes the file that it has made some time after it has stopped: by then it must not be ours any more.
        self._made = path.with_name(f".{uuid4().hex[:8]}")
        self._inner = path.with_name(f".{path.name}") if admits else path
        self._gate = Gate(self._made, self._inner, admits) if admits else None

    def start(self) -> None:
        """Listen: when it returns, whoever connects is served.

        :raises SocketUnavailable: another server has the path, or the directory does not let us
        """
        if len(os.fsencode(self._inner)) > MAX_PATH_BYTES:
            raise SocketUnavailable(f"{self.path}: the path of a socket has {MAX_PATH_BYTES} bytes at most")
        if is_served(self.path):
            raise SocketUnavailable(f"{self.path}: another process serves it already")
        try:
            self._listen()
            if self._gate is not None:
                with _permissions(self._mode):
                    self._gate.open()
                self._made.rename(self.path)
        except OSError as error:
            self._server.stop(None)
            raise SocketUnavailable(f"{self.path}: {error.strerror}") from error
        self._file = _file(self.path)

    def _listen(self) -> None:
        with _permissions(self._mode if self._gate is None else 0o600):
            try:
                self._server.add_insecure_port(f"unix:{self._made}")
            except RuntimeError as error:
                reason = "it is not writable" if self.path.parent.is_dir() else "there is no such directory"
                raise SocketUnavailable(f"{self.path}: {self.path.parent}: {reason}") from error
        self._server.start()
        self._made.rename(self._inner)

    @property
    def is_there(self) -> bool:
        """Whether the socket's file is where it was, and ours."""
        return self._file == _file(self.path)

    def stop(self) -> None:
        """Serve nobody any more. When it returns, the file is gone, and everybody has been told."""
        if self.is_there:
            self.path.unlink(missing_ok=True)
        self._server.stop(None).wait()
        if self._gate is not None:
            self._gate.close()
            self._inner.unlink(missing_ok=True)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """See ``grpc.GenericRpcHandler.service``."""
        method = self._methods.get(handler_call_details.method)
        if method is None:
            return None
        kind, answer = (
            (grpc.unary_stream_rpc_method_handler, self._stream)
            if method.is_stream
            else (grpc.unary_unary_rpc_method_handler, self._answer)
        )
        return kind(
            lambda request, context: answer(method, request, context),
            request_deserializer=method.request.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _answer(self, method: _Method, request: Any, context: Any) -> Any:
        with _told(context):
            return method.handler(request, self._call(context))

    def _stream(self, method: _Method, request: Any, context: Any) -> Iterator[Any]:
        with _told(context):
            yield from method.handler(request, self._call(context))

    def _call(self, context: Any) -> Call:
        return Call(self._gate.peer(context.peer()) if self._gate else None, context)


class _ThreadForEach(Executor):
    """A thread for each call: a stream lasts as long as somebody listens, and none keeps another from being answered.

    A handler that hangs does not keep the process from ending, which threads of a pool do.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """See ``Executor.submit``."""
        future: Future[Any] = Future()
        Thread(target=_settle, args=(future, fn, args, kwargs), name="call", daemon=True).start()
        return future


def _settle(future: "Future[Any]", fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
    try:
        future.set_result(fn(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001  # it belongs to whoever asks the future
        future.set_exception(error)


@contextmanager
def _told(context: Any) -> Iterator[None]:
    """Tell the caller what goes wrong: ours in words, the rest to the log."""
    try:
        yield
    except AccelError as error:
        text = error.text if isinstance(error, CallFailed) else str(error)
        context.abort(code_of(error).grpc, text)
    except Exception:  # noqa: BLE001  # the border: a handler may raise anything
        _LOG.exception("a call has failed")
        context.abort(Code.INTERNAL.grpc, "the server has failed; its log says where")


@contextmanager
def _permissions(mode: int) -> Iterator[None]:
    """Files are made with these permissions, so that there is no moment at which somebody else may connect."""
    with _UMASK:
        before = os.umask(0o777 & ~mode)
        try:
            yield
        finally:
            os.umask(before)


def is_served(path: Path) -> bool:
    """Whether somebody listens at a socket."""
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
