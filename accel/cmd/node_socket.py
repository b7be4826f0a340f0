"""The node socket of an agent, made as the configuration says. What it needs is loaded only where there is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oslo_config import cfg

from accel.agent.bell import Bell
from accel.agent.board import Board
from accel.agent.loans import Loans
from accel.agent.node_service import NodeService, NothingToPrepare, node_server
from accel.agent.ownership import Ownership
from accel.agent.preparing import Desk, DeskPreparer
from accel.cmd.agent_parts import make_host, spool_directory
from accel.rpc.api import Conductor


@contextmanager
def served(conf: cfg.ConfigOpts, conductor: Conductor, bell: Bell, desk: Desk | None) -> Iterator[Ownership]:
    """Serve meanwhile what is shown to what this gives.

    :param desk: where what programs on the node want done is ordered; None: nothing is done
    :raises ConfigurationError: there is no such user
    :raises SocketUnavailable: the socket cannot be there
    """
    board = Board(make_host(conf), disregarded=conf.agent.disregarded_signals)
    memory = spool_directory(conf) / "withdrawn.json"
    memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    ownership = Ownership(board, conductor, bell, node=conf.host, memory=memory)
    ownership.open()
    loans = Loans(Path(conf.state_path) / "lent", board)
    loans.open()
    preparer = NothingToPrepare() if desk is None else DeskPreparer(desk, board.driver_of, conf.host)
    server = node_server(Path(conf.node_socket.path), NodeService(board, preparer, loans), users=conf.node_socket.users)
    server.start()
    try:
        yield ownership
    finally:
        server.stop()
