"""The API inside another process: the server of the all-in-one and of tests."""

import threading
from contextlib import suppress
from typing import Any
from wsgiref.types import WSGIApplication

from waitress import create_server, wasyncore


class EmbeddedServer:
    """Serves an application from a thread of its own.

    ::

        server = EmbeddedServer(app, "127.0.0.1", 6666)
        server.start()
        ...
        server.stop()

    :param port: 0 takes a free one; after ``start`` the attribute ``port`` says which
    """

    def __init__(self, application: WSGIApplication, host: str, port: int, *, threads: int = 4) -> None:
        self.host = host
        self.port = port
        self._application = application
        self._threads = threads
        self._sockets: dict[int, Any] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="accel-api", daemon=True)

    @property
    def url(self) -> str:
        """Where clients reach it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and answer from now on.

        :raises OSError: the address is in use or not ours
        """
        self._server = create_server(
            self._application, map=self._sockets, host=self.host, port=self.port, threads=self._threads, ident=None
        )
        self.port = int(self._server.effective_port)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered and listen no more."""
        self._stopping.set()
        with suppress(OSError):  # the thread was awake, has seen it and closed what it waits at
            self._server.pull_trigger()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._sockets, count=1)
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets, ignore_all=True)
