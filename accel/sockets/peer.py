"""Who is at the other end of a Unix socket: the kernel's word, not his."""

import socket
import struct
from dataclasses import dataclass

_FORMAT = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """A process, as it was when it connected."""

    pid: int
    """In our namespace of processes; 0 where it is in one that we do not see."""
    uid: int
    gid: int

    def __str__(self) -> str:
        """As it stands in a log."""
        return f"process {self.pid} of user {self.uid}"


def peer_of(connection: socket.socket) -> Peer:
    """Who has connected."""
    return Peer(*_FORMAT.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _FORMAT.size)))
