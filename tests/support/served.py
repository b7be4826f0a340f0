"""The API behind a socket of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.types import WSGIApplication

from support.api import client

from accel.api.embedded import EmbeddedServer
from accel.db.engine import Database


@contextmanager
def served(database: Database, *arguments: str) -> Iterator[str]:
    """The URL of an API over a database, which answers within the block.

    :param arguments: of the command line, for options
    """
    with served_application(client(database, *arguments).application) as url:
        yield url


@contextmanager
def served_application(application: WSGIApplication, port: int = 0) -> Iterator[str]:
    """The URL of an application, which answers within the block.

    :param port: 0 for a free one
    """
    server = EmbeddedServer(application, "127.0.0.1", port)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
