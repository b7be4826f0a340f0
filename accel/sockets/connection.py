"""A connection: one thread reads what comes, any thread sends, and ``h2`` knows what it all means.

Everything that touches ``h2`` and every write happen under one lock. A peer that does not read keeps whoever sends to
it waiting, for a limited time, and after that the connection is over.
"""

import logging
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Condition, RLock, Thread, current_thread
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from accel.errors import CallFailed
from accel.sockets.status import Code, failed, from_header
from accel.sockets.stream import Stream, framed

_LOG = logging.getLogger(__name__)

_WINDOW_BYTES = 2**20
_READ_BYTES = 2**16
_STALLED_SECONDS = 30
"""How long a peer may take to make room for what we send."""

_RESETS: Mapping[int, Code] = {
    ErrorCodes.CANCEL: Code.CANCELLED,
    ErrorCodes.REFUSED_STREAM: Code.UNAVAILABLE,
    ErrorCodes.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
}
_GONE = "the connection has ended"

Headers = Sequence[tuple[str, str]]


class Connection:
    """One end of a connected socket, which it owns.

    :param take_call: what a server does with a call whose request has come; it must not wait. None: we are a client
    """

    def __init__(self, end: socket.socket, *, take_call: Callable[["Connection", Stream], None] | None = None) -> None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _STALLED_SECONDS, 0))
        self._end = end
        self._take_call = take_call
        self._h2 = H2Connection(H2Configuration(client_side=take_call is None, header_encoding="utf-8"))
        self._lock = RLock()
        self._has_room = Condition(self._lock)
        self._streams: dict[int, Stream] = {}
        self._is_over = False
        self._reader = Thread(target=self._read, name="socket", daemon=True)

    @property
    def is_over(self) -> bool:
        """Whether no call can be made any more."""
        return self._is_over

    def start(self) -> None:
        """Greet the other end, and hear it."""
        with self._lock:
            self._h2.initiate_connection()
            self._h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES})
            self._h2.increment_flow_control_window(_WINDOW_BYTES)
            self._flush()
        self._reader.start()

    def close(self) -> None:
        """End everything, at once; when it returns, the other end knows."""
        with self._lock:
            if not self._is_over:
                self._h2.close_connection()
                self._flush()
        self._shut_down()
        if self._reader.is_alive() and current_thread() is not self._reader:
            self._reader.join()

    # --- calls ---

    def call(self, headers: Headers, message: bytes) -> Stream:
        """Make a call with one message.

        :raises CallFailed: the connection has ended
        """
        with self._lock:
            if self._is_over:
                raise failed(Code.UNAVAILABLE, _GONE)
            stream = Stream(self._h2.get_next_available_stream_id())
            self._streams[stream.number] = stream
            self._h2.send_headers(stream.number, headers)
            self._flush()
        self.send(stream, message, is_last=True)
        return stream

    def send_headers(self, stream: Stream, headers: Headers, *, is_last: bool = False) -> None:
        """Send what comes before the messages, or after them; nobody may be there to hear it."""
        with self._lock:
            if not stream.is_over and not self._is_over:
                self._h2.send_headers(stream.number, headers, end_stream=is_last)
                self._flush()
            if is_last:
                self._forget(stream, None)

    def send(self, stream: Stream, message: bytes, *, is_last: bool = False) -> None:
        """Send a message; waits for as long as the other end has no room for it.

        :raises CallFailed: nobody is there to hear it
        """
        rest = memoryview(framed(message))
        with self._lock:
            while rest:
                size = min(self._room(stream), len(rest))
                self._h2.send_data(stream.number, bytes(rest[:size]), end_stream=is_last and size == len(rest))
                self._flush()
                rest = rest[size:]

    def cancel(self, stream: Stream, code: Code = Code.CANCELLED, text: str = "the call was given up") -> None:
        """End a call that nobody wants any more."""
        with self._lock:
            if not stream.is_over and not self._is_over:
                self._h2.reset_stream(stream.number, ErrorCodes.CANCEL)
                self._flush()
            self._forget(stream, failed(code, text))

    def _room(self, stream: Stream) -> int:
        """How much can be sent now, once something can."""

        def room() -> int:
            if stream.is_over or self._is_over:
                return -1
            return min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)

        found = self._has_room.wait_for(room, _STALLED_SECONDS)
        if found > 0:
            return found
        if not found:
            self.cancel(stream)
        if self._is_over:
            raise failed(Code.UNAVAILABLE, _GONE)
        raise failed(Code.CANCELLED, "the other end does not listen")

    # --- what comes ---

    def _read(self) -> None:
        try:
            while data := self._end.recv(_READ_BYTES):
                with self._lock:
                    for event in self._h2.receive_data(data):
                        self._hear(event)
                    self._flush()
                    self._has_room.notify_all()
        except (OSError, ProtocolError) as error:
            _LOG.debug("A connection has ended: %s", error)
        finally:
            self._shut_down()

    def _hear(self, event: Event) -> None:
        match event:
            case RequestReceived():
                stream = Stream(event.stream_id, _texts(event.headers).get(":path", ""))
                self._streams[event.stream_id] = stream
            case ResponseReceived() | TrailersReceived():
                self._of(event.stream_id).take_headers(_texts(event.headers))
            case DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._hear_data(self._of(event.stream_id), event.data)
            case StreamEnded():
                self._hear_end(self._of(event.stream_id))
            case StreamReset():
                code = _RESETS.get(event.error_code, Code.INTERNAL)
                self._forget(self._of(event.stream_id), failed(code, "the other end has given the call up"))
            case ConnectionTerminated():
                self._is_over = True

    def _of(self, number: int) -> Stream:
        """The call that is meant; one that is forgotten already takes what comes, and nobody reads it."""
        return self._streams.get(number) or Stream(number)

    def _hear_data(self, stream: Stream, data: bytes) -> None:
        try:
            stream.take(data)
        except CallFailed as error:
            self.cancel(stream, Code(error.status), error.text)

    def _hear_end(self, stream: Stream) -> None:
        if self._take_call is not None:
            stream.end_of_messages()
            if stream.number in self._streams:
                self._take_call(self, stream)
            return
        code = Code(int(stream.headers.get("grpc-status", Code.UNKNOWN)))
        text = from_header(stream.headers.get("grpc-message", ""))
        self._forget(stream, None if code is Code.OK else failed(code, text))

    def _forget(self, stream: Stream, error: CallFailed | None) -> None:
        self._streams.pop(stream.number, None)
        stream.end(error)
        self._has_room.notify_all()

    # --- the socket ---

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            try:
                self._end.sendall(data)
            except OSError as error:
                _LOG.debug("A connection cannot be written to: %s", error)
                self._shut_down()

    def _shut_down(self) -> None:
        with self._lock:
            self._is_over = True
            streams = list(self._streams.values())
            for stream in streams:
                self._forget(stream, failed(Code.UNAVAILABLE, _GONE))
            with suppress(OSError):  # the other end was first
                self._end.shutdown(socket.SHUT_RDWR)
            if current_thread() is self._reader or not self._reader.is_alive():
                self._end.close()


def _texts(headers: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Headers by name. They are texts because we have h2 decode them, which its types do not know."""
    return {str(name): str(value) for name, value in headers}
