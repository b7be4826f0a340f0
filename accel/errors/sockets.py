"""What can be the matter with a Unix socket and with a call over it."""

from accel.errors.base import AccelError, Unavailable


class SocketUnavailable(Unavailable):
    """Nobody listens at a Unix socket, or we cannot; the text names it."""

    code = "accel.socket_unavailable"


class CallFailed(AccelError):
    """A call over a Unix socket ended with an error, of the other end or on the way.

    :param status: the number of the status that gRPC gives it
    :param name: the status in words: ``DEADLINE_EXCEEDED``
    :param text: what the other end says
    """

    code = "accel.call_failed"

    def __init__(self, status: int, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.status = status
        self.name = name
        self.text = text
