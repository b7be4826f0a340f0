"""The front of a server that wants to know who calls: grpcio does not tell who is at the other end of a Unix socket.

The gate accepts the connections, asks the kernel whose they are, and passes on what is said to the server behind, to
which each connection has a name of its own: by that name the server knows its caller.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread

from accel.errors import SocketUnavailable
from accel.sockets.peer import Peer, peer_of

_LOG = logging.getLogger(__name__)

_BACKLOG = 64
_PIECE_BYTES = 2**16
_NAME_PREFIX = "unix-abstract:"
"""How grpcio writes the name of a socket that has no file."""


class Gate:
    """Accepts at a path and passes on to another one, until it is closed.

    :param path: where callers connect; there must be no such file
    :param behind: the socket of the server, which only we may reach
    :param admits: whether a process may call; the others are turned away before they can say a word
    """

    def __init__(self, path: Path, behind: Path, admits: Callable[[Peer], bool]) -> None:
        self._path = path
        self._behind = behind
        self._admits = admits
        self._peers: dict[str, Peer] = {}
        self._ends: set[socket.socket] = set()
        self._lock = Lock()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = Thread(target=self._accept, name=f"gate {path.name}", daemon=True)

    def open(self) -> None:
        """Let callers in.

        :raises SocketUnavailable: the directory does not let us
        """
        try:
            self._listener.bind(str(self._path))
            self._listener.listen(_BACKLOG)
        except OSError as error:
            self._listener.close()
            raise SocketUnavailable(f"{self._path}: {error.strerror}") from error
        self._thread.start()

    def close(self) -> None:
        """Let nobody in any more, and end what is said."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._thread.join()
        self._listener.close()
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            _shut(end)

    def peer(self, name: str) -> Peer | None:
        """Who it is that grpcio calls by this name."""
        return self._peers.get(name)

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:  # it is closed
                return
            peer = peer_of(caller)
            if self._admits(peer):
                self._pass_on(caller, peer)
            else:
                _LOG.warning("%s: %s is turned away", self._path, peer)
                caller.close()

    def _pass_on(self, caller: socket.socket, peer: Peer) -> None:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.bind("")  # the kernel gives it a name
            name = f"{_NAME_PREFIX}{server.getsockname()[1:].decode()}"
            self._peers[name] = peer
            server.connect(str(self._behind))
        except OSError as error:
            _LOG.warning("%s: %s is not served: %s", self._path, peer, error)
            caller.close()
            server.close()
            return
        with self._lock:
            self._ends |= {caller, server}
        Thread(target=self._relay, args=(name, caller, server), name=name, daemon=True).start()

    def _relay(self, name: str, caller: socket.socket, server: socket.socket) -> None:
        answers = Thread(target=_pump, args=(server, caller), name=f"{name} back", daemon=True)
        answers.start()
        _pump(caller, server)
        answers.join()
        with self._lock:
            self._ends -= {caller, server}
        self._peers.pop(name, None)
        caller.close()
        server.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on until either end has gone; then both have."""
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
    _shut(source)
    _shut(target)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
