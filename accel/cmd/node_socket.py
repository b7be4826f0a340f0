"""The node socket of an agent, made as the configuration says. What it needs is loaded only where there is one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from oslo_config import cfg

from accel.agent.board import Board
from accel.agent.node_service import NodeService, NothingToPrepare, node_server
from accel.cmd.agent_parts import make_host
from accel.model.report import NodeReport

Show = Callable[[NodeReport], None]


@contextmanager
def served(conf: cfg.ConfigOpts) -> Iterator[Show]:
    """Serve meanwhile what is shown to what this gives.

    :raises ConfigurationError: there is no such user
    :raises SocketUnavailable: the socket cannot be there
    """
    board = Board(make_host(conf))
    server = node_server(
        Path(conf.node_socket.path), NodeService(board, NothingToPrepare()), users=conf.node_socket.users
    )
    server.start()
    try:
        yield board.show
    finally:
        server.stop()
