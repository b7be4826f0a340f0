"""The API behind a socket of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.api import client

from accel.api.embedded import EmbeddedServer
from accel.db.engine import Database


@contextmanager
def served(database: Database, *arguments: str) -> Iterator[str]:
    """The URL of an API over a database, which answers within the block.

    :param arguments: of the command line, for options
    """
    server = EmbeddedServer(client(database, *arguments).application, "127.0.0.1", 0)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
