"""``accel up``: API, conductor and agents in one process, on SQLite.

The parts are those of the separate services, put together by hand: agents reach the conductor through the wire form
of the messages, without a broker. Every part has a thread of its own; the process ends as a whole, when it is told
to or when one of them fails.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Self

from cliff.command import Command
from oslo_config import cfg

from accel import conf as configuration
from accel.agent.bell import Bell, Call
from accel.agent.jobs.desk import Desk
from accel.api.app import make_app
from accel.api.embedded import EmbeddedServer
from accel.cmd.agent_parts import (
    Ears,
    listen,
    make_agent,
    make_desk,
    make_runner,
    node_socket,
    watch,
)
from accel.cmd.agent_player import make_played_desk, make_player
from accel.cmd.api import check_access, relax_garbage_collection, start_placing
from accel.cmd.conductor_parts import ConductorParts
from accel.cmd.stopping import until_set
from accel.conductor.images import ImageReader
from accel.db import migrate, nodes
from accel.db.engine import Database
from accel.drivers.fleet import FleetFile
from accel.errors import ConfigurationError, InvalidValue
from accel.rpc.agents import JobDesk, Listener, LocalAgents
from accel.rpc.api import Conductor
from accel.rpc.local import LocalClaims, LocalConductor, LocalImages

PROG = "accel up"
DEFAULT_LISTEN = "127.0.0.1:6666"
_LOOK_SECONDS = 0.1
_PROGRESS_SECONDS = 2.0


class Up(Command):
    """Start API, conductor and agent in one process, on SQLite."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """What may be said about it."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--fleet", metavar="FILE", type=Path, help="play the nodes of a fleet file too, and follow its changes"
        )
        parser.add_argument(
            "--host-tree",
            metavar="DIRECTORY",
            type=Path,
            action="append",
            default=[],
            help="look at a captured host too: a directory that stands for / of it; may be given several times",
        )
        parser.add_argument("--no-host", action="store_true", help="do not look at this host")
        parser.add_argument(
            "--driver",
            metavar="NAME",
            action="append",
            help="the drivers that look, instead of those of the configuration; may be given several times",
        )
        parser.add_argument(
            "--listen", metavar="HOST:PORT", default=DEFAULT_LISTEN, help=f"where to serve (default: {DEFAULT_LISTEN})"
        )
        parser.add_argument(
            "--state-path",
            metavar="DIRECTORY",
            type=Path,
            default=_default_state_path(),
            help="where the database and the spools are (default: %(default)s)",
        )
        parser.add_argument("--config-file", metavar="FILE", help="read options of the services from a file")
        parser.add_argument("--verbose", action="store_true", help="log what the services do, not only what goes wrong")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Run until SIGINT or SIGTERM."""
        level = logging.INFO if parsed_args.verbose else logging.WARNING
        logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        relax_garbage_collection()
        with AllInOne(_settings(parsed_args), stop) as everything:
            return everything.run(fleet=parsed_args.fleet, looks_at_host=not parsed_args.no_host)


class Settings:
    """The configuration of this host and of each captured one; they differ in name, root and where their spool is."""

    def __init__(self, make: Callable[[], cfg.ConfigOpts], host_trees: Sequence[Path], *, port: int) -> None:
        self.main = make()
        self.port = port
        self.captured = [_captured(make(), tree) for tree in host_trees]


class AllInOne:
    """All services in one process; a context manager, because what it starts has to end.

    :param stop: ends everything when it is set
    """

    def __init__(self, settings: Settings, stop: Event) -> None:
        self._settings = settings
        self._stop = stop
        self._ends = ExitStack()
        self._bells: list[Bell] = []
        self._desks: dict[str, JobDesk] = {}
        self._played: Desk | None = None
        self._listeners: dict[str, Listener] = {}
        self._node_agents = LocalAgents(lambda node: self._desks.get(node, self._played), self._listeners.get)
        self._agents: list[Future[None]] = []
        self._loops: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        conf = self._settings.main
        _make_directory(Path(conf.state_path))
        self._database = self._ends.enter_context(closing(Database.configured(conf.database)))
        migrate.upgrade(self._database)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for bell in self._bells:
            bell.ring(Call.STOP)
        self._ends.close()

    def run(self, *, fleet: Path | None, looks_at_host: bool) -> int:
        """Start everything, say when all nodes are known, and serve until told to stop.

        :return: the exit status
        """
        conf = self._settings.main
        parts = ConductorParts(self._database, conf, self._node_agents, self._stop)
        self._prepare_agents(LocalConductor(parts.manager), fleet=fleet, looks_at_host=looks_at_host)
        self._ends.enter_context(parts)
        parts.take_up()
        app = make_app(self._database, conf, LocalClaims(parts.claims), placing=start_placing(self._database, conf))
        server = EmbeddedServer(app, conf.api.host, self._settings.port)
        _start_listening(server)
        self._ends.callback(server.stop)
        parts.start()
        played = len(FleetFile(fleet).current().nodes) if fleet else 0
        expected = int(looks_at_host) + len(self._settings.captured) + played
        self._start_agents()
        self._until_known(expected)
        if not self._stop.is_set():
            print(f"Ready: {server.url} ({expected} nodes; Ctrl-C ends it)", flush=True)  # noqa: T201 - what was asked for
        until_set(self._stop)
        parts.stop()
        return self._outcome(has_failed=parts.has_failed)

    def _prepare_agents(self, conductor: Conductor, *, fleet: Path | None, looks_at_host: bool) -> None:
        """Make all of them before any of them works: the drivers' processes are forked from one that knows all."""
        if looks_at_host:
            watch(self._add_agent(self._settings.main, conductor))
        for place, captured in enumerate(self._settings.captured):
            if place or looks_at_host:  # there is one node socket: this host's, else that of the first one
                captured.set_override("path", "", group="node_socket")
            self._add_agent(captured, conductor)
        if fleet is not None:
            player = make_player(self._settings.main, conductor, self._new_bell(), fleet)
            self._loops.append(player.run)
            images = LocalImages(ImageReader(self._database))
            self._played = make_played_desk(self._settings.main, player, fleet, images)
            self._played.open()
            self._ends.callback(self._played.stop)

    def _add_agent(self, conf: cfg.ConfigOpts, conductor: Conductor) -> Ears:
        bell = self._new_bell()
        runner = make_runner(conf)
        desk = self._desks[conf.host] = make_desk(conf, runner, bell, LocalImages(ImageReader(self._database)))
        ownership = self._ends.enter_context(node_socket(conf, conductor, bell, desk))
        if ownership is not None:
            self._listeners[conf.host] = ownership
        ears = Ears(bell, ownership)
        for lookout in listen(runner, ears):
            self._ends.callback(lookout.stop)
        self._loops.append(make_agent(conf, conductor, bell, runner, ownership=ownership).run)
        desk.open()
        self._ends.callback(desk.stop)
        return ears

    def _new_bell(self) -> Bell:
        self._bells.append(Bell())
        return self._bells[-1]

    def _start_agents(self) -> None:
        if not self._loops:
            return
        pool = self._ends.enter_context(ThreadPoolExecutor(len(self._loops), thread_name_prefix="agent"))
        self._agents = [pool.submit(loop) for loop in self._loops]
        for agent in self._agents:
            agent.add_done_callback(lambda _: self._stop.set())

    def _until_known(self, expected: int) -> None:
        """Wait until every node has reported, showing how it goes."""
        started = datetime.now(UTC)
        waited = 0.0
        while not self._stop.wait(_LOOK_SECONDS):
            known = self._database.read(partial(nodes.count_heard_since, moment=started))
            if known >= expected:
                return
            waited += _LOOK_SECONDS
            if waited >= _PROGRESS_SECONDS:
                waited = 0
                logging.getLogger(__name__).warning("%d of %d nodes have reported", known, expected)

    def _outcome(self, *, has_failed: bool) -> int:
        """Raises what an agent has raised."""
        for agent in self._agents:
            if agent.done():
                agent.result()
        return 1 if has_failed else 0


def _default_state_path() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "accel"


def _settings(parsed_args: argparse.Namespace) -> Settings:
    host, port = _address(parsed_args.listen)
    state_path = parsed_args.state_path.absolute()

    def make() -> cfg.ConfigOpts:
        files = [parsed_args.config_file] if parsed_args.config_file else []
        conf = configuration.load([], prog=PROG, default_config_files=files)
        conf.set_override("state_path", str(state_path))
        conf.set_override("connection", f"sqlite:///{state_path}/accel.sqlite", group="database")
        conf.set_override("host", host, group="api")
        if parsed_args.driver:
            conf.set_override("enabled_drivers", parsed_args.driver, group="agent")
        return conf

    settings = Settings(make, parsed_args.host_tree, port=port)
    check_access(settings.main)
    return settings


def _address(text: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:6666``, ``[::1]:6666``; port 0 is any that is free."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidValue("--listen", text, f"an address and a port such as {DEFAULT_LISTEN}")
    return host.strip("[]"), int(port)


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be made: {error.strerror}; see --state-path") from error


def _start_listening(server: EmbeddedServer) -> None:
    try:
        server.start()
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {server.url}: {error.strerror}; see --listen") from error


def _captured(conf: cfg.ConfigOpts, tree: Path) -> cfg.ConfigOpts:
    """The configuration of the agent that looks at a captured host, which is named as its directory is."""
    tree = tree.absolute()
    if not (tree / "sys").is_dir():
        raise InvalidValue("--host-tree", str(tree), "a directory with a captured /sys below it")
    conf.set_override("host", tree.name)
    conf.set_override("state_path", str(Path(conf.state_path) / "captured" / tree.name))
    conf.set_override("host_root", str(tree), group="agent")
    return conf
