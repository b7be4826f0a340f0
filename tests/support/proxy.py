"""A way to a server that a test can cut: every outage without stopping the server."""

import contextlib
import socket
import threading
from typing import Self


class Proxy:
    """Forwards a local port to a server. Use it as a context manager.

    ``cut`` breaks all connections and refuses new ones until ``mend``; ``break_connections`` breaks those there are.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._is_cut = False
        self.port: int = self._listener.getsockname()[1]
        self.refused = threading.Event()
        """Somebody tried while the way was cut."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_connections()

    def cut(self) -> None:
        self._is_cut = True
        self.break_connections()

    def mend(self) -> None:
        self._is_cut = False
        self.refused.clear()

    def break_connections(self) -> None:
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _connect(self) -> socket.socket | None:
        """A connection to the server; None while nobody is there."""
        try:
            return socket.create_connection(self._server)
        except ConnectionRefusedError:
            return None

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = None if self._is_cut else self._connect()
            if server is None:
                client.close()
                self.refused.set()
                continue
            self._sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
