"""The API inside another process: the server of the all-in-one and of tests."""

import threading
from wsgiref.types import WSGIApplication

from waitress import create_server


class EmbeddedServer:
    """Serves an application from a thread of its own.

    ::

        server = EmbeddedServer(app, "127.0.0.1", 6666)
        server.start()
        ...
        server.stop()

    :param port: 0 takes a free one; ``port`` says which
    """

    def __init__(self, application: WSGIApplication, host: str, port: int, *, threads: int = 4) -> None:
        self._application = application
        self._host = host
        self._wanted_port = port
        self._threads = threads

    def start(self) -> None:
        """Listen, and answer from now on.

        :raises OSError: the address is in use or not ours
        """
        self._server = create_server(
            self._application,
            host=self._host,
            port=self._wanted_port,
            threads=self._threads,
            clear_untrusted_proxy_headers=False,
        )
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name="accel-api", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where clients reach it."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def stop(self) -> None:
        """Finish what is being answered and listen no more."""
        self._server.close()
        self._thread.join()
