"""The agent as a service of its own, with the conductor behind a broker."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from oslo_config import cfg
from oslo_log import log

from accel.agent.bell import Bell, Call
from accel.agent.jobs.desk import Desk
from accel.cmd import systemd
from accel.cmd.agent_parts import (
    Ears,
    listen,
    make_agent,
    make_desk,
    make_runner,
    node_socket,
    watch,
)
from accel.cmd.thrift import be_thrifty
from accel.privileged.capabilities import put_to_sleep
from accel.rpc.agents import Listener, serve_agent
from accel.rpc.client import ConductorClient
from accel.rpc.messaging import oslo_messaging, transport_of

PROG = "accel-agent"
_PATIENCE_SECONDS = 20.0
"""How long acts on devices that are under way may go on when the agent is told to end."""
_PLAYED = ":played"
"""What is put behind the host's name, by which its own agent may listen."""
_RABBIT_LOGGER = "oslo.messaging._drivers.impl_rabbit"


def serve(conf: cfg.ConfigOpts, *, fleet_file: str) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP makes the drivers look again.

    :return: the exit status
    """
    # The agent itself says when the conductor is away and when it is back, once; the library says it at every try.
    conf.set_default("default_log_levels", [*log.get_default_log_levels(), f"{_RABBIT_LOGGER}=CRITICAL"])
    log.setup(conf, PROG)
    put_to_sleep()
    bell = Bell()
    for number, call in ((signal.SIGTERM, Call.STOP), (signal.SIGINT, Call.STOP), (signal.SIGHUP, Call.LOOK)):
        signal.signal(number, lambda *_, call=call: bell.ring(call))
    if fleet_file:
        _play(conf, bell, Path(fleet_file))
    else:
        _look(conf, bell)
    return 0


def _look(conf: cfg.ConfigOpts, bell: Bell) -> None:
    """Be the agent of this host."""
    runner = make_runner(conf)
    transport = transport_of(conf, threads=conf.rpc.agent_threads)
    client = make_client(conf, transport)
    desk = make_desk(conf, runner, bell, client)
    socket = node_socket(conf, client, bell, desk)
    be_thrifty()
    with socket as ownership, _jobs(conf, transport, desk, listener=ownership):
        ears = Ears(bell, ownership)
        watch(ears)
        lookouts = listen(runner, ears)
        make_agent(conf, client, bell, runner, ownership=ownership).run()
        for lookout in lookouts:
            lookout.stop()


def _play(conf: cfg.ConfigOpts, bell: Bell, fleet_file: Path) -> None:
    """Be the agents of all nodes of a file. They listen by one name, because each name has its price at the broker."""
    from accel.cmd.agent_player import make_played_desk, make_player  # noqa: PLC0415  # other agents do without

    transport = transport_of(conf, threads=conf.rpc.agent_threads)
    client = make_client(conf, transport)
    name = f"{conf.host}{_PLAYED}"
    player = make_player(conf, client, bell, fleet_file, listens_as=name)
    with _jobs(conf, transport, make_played_desk(conf, player, fleet_file, client), name=name):
        systemd.notify(systemd.READY)
        player.run()
        systemd.notify(systemd.STOPPING)


def make_client(conf: cfg.ConfigOpts, transport: oslo_messaging.Transport) -> ConductorClient:
    """The way to the conductor over the broker; nothing is connected yet."""
    rpc = conf.rpc
    return ConductorClient(transport, timeout_seconds=rpc.call_timeout_seconds, topic=rpc.topic)


@contextmanager
def _jobs(
    conf: cfg.ConfigOpts,
    transport: oslo_messaging.Transport,
    desk: Desk,
    *,
    name: str = "",
    listener: Listener | None = None,
) -> Iterator[None]:
    """Take jobs meanwhile, as soon as the broker is there; at the end let those under way end.

    Beginning to listen waits for the broker without end, so it has a thread that the process may end without.

    :param name: what to listen by; empty: the node's
    """
    desk.open()
    server = serve_agent(transport, desk, name or conf.host, topic=conf.rpc.agent_topic, listener=listener)
    listening = Thread(target=server.start, name="listen", daemon=True)
    listening.start()
    try:
        yield
    finally:
        if not listening.is_alive():
            server.stop()
        desk.stop(_PATIENCE_SECONDS)
