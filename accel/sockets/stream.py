"""One call on a connection, as both ends see it: messages in, messages out, an end."""

import struct
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Lock

from accel.errors import CallFailed
from accel.sockets.status import Code, failed

MAX_MESSAGE_BYTES = 16 * 2**20
"""The longest message that we take. The longest that a kubelet takes has 4 MiB."""

_PREFIX = struct.Struct(">BI")


def framed(message: bytes) -> bytes:
    """A message as it travels: whether it is compressed, which ours never are, and its length."""
    return _PREFIX.pack(0, len(message)) + message


class Stream:
    """What has come for one call.

    :param number: HTTP/2's
    :param path: ``/package.Service/Method``
    """

    def __init__(self, number: int, path: str = "") -> None:
        self.number = number
        self.path = path
        self.headers: dict[str, str] = {}
        """Of the answer: what came before the messages and after them."""
        self._bytes = bytearray()
        self._messages: SimpleQueue[bytes | CallFailed | None] = SimpleQueue()
        self._lock = Lock()
        self._is_over = False
        self._when_over: list[Callable[[], None]] = []

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes, and nobody hears us any more."""
        return self._is_over

    def when_over(self, act: Callable[[], None]) -> None:
        """Have something done at the end, by the thread that learns of it; at once where it is over."""
        with self._lock:
            if not self._is_over:
                self._when_over.append(act)
                return
        act()

    def next(self, timeout_seconds: float | None = None) -> bytes | None:
        """The next message; None after the last one.

        :param timeout_seconds: None: for ever
        :raises CallFailed: the call has ended with an error, or there was no message in time
        """
        try:
            found = self._messages.get(timeout=timeout_seconds)
        except Empty:
            raise failed(Code.DEADLINE_EXCEEDED, f"there was no answer within {timeout_seconds:g} s") from None
        if isinstance(found, bytes):
            return found
        self._messages.put(found)  # whoever asks again is told the same
        if found is None:
            return None
        raise found

    def take(self, data: bytes) -> None:
        """Some bytes have come.

        :raises CallFailed: they are no message that we take
        """
        self._bytes += data
        while len(self._bytes) >= _PREFIX.size:
            is_compressed, length = _PREFIX.unpack_from(self._bytes)
            if is_compressed:
                raise failed(Code.UNIMPLEMENTED, "compressed messages are not understood")
            if length > MAX_MESSAGE_BYTES:
                raise failed(Code.RESOURCE_EXHAUSTED, f"a message of {length} bytes; {MAX_MESSAGE_BYTES} are taken")
            end = _PREFIX.size + length
            if len(self._bytes) < end:
                return
            self._messages.put(bytes(self._bytes[_PREFIX.size : end]))
            del self._bytes[:end]

    def take_headers(self, headers: Mapping[str, str]) -> None:
        """Some headers of the answer have come."""
        self.headers.update(headers)

    def end_of_messages(self) -> None:
        """The other end has said all that it has to say; it still listens."""
        self._messages.put(None)

    def end(self, error: CallFailed | None) -> None:
        """The call is over; only the first word counts."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            acts, self._when_over = self._when_over, []
        self._messages.put(error)
        for act in acts:
            act()
