"""The agent as a service of its own, with the conductor behind a broker."""

import signal
from pathlib import Path

from oslo_config import cfg
from oslo_log import log

from accel.agent.bell import Bell, Call
from accel.cmd.agent_parts import make_agent, make_player, make_runner, watch
from accel.rpc.client import ConductorClient
from accel.rpc.messaging import transport_of

PROG = "accel-agent"
_RABBIT_LOGGER = "oslo.messaging._drivers.impl_rabbit"


def serve(conf: cfg.ConfigOpts, *, fleet_file: str) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP makes the drivers look again.

    :return: the exit status
    """
    # The agent itself says when the conductor is away and when it is back, once; the library says it at every try.
    conf.set_default("default_log_levels", [*log.get_default_log_levels(), f"{_RABBIT_LOGGER}=CRITICAL"])
    log.setup(conf, PROG)
    bell = Bell()
    for number, call in ((signal.SIGTERM, Call.STOP), (signal.SIGINT, Call.STOP), (signal.SIGHUP, Call.LOOK)):
        signal.signal(number, lambda *_, call=call: bell.ring(call))
    if fleet_file:
        make_player(conf, make_client(conf), bell, Path(fleet_file)).run()
    else:
        runner = make_runner(conf)
        runner.start()
        watch(bell)
        make_agent(conf, make_client(conf), bell, runner).run()
    return 0


def make_client(conf: cfg.ConfigOpts) -> ConductorClient:
    """The way to the conductor over the broker; nothing is connected yet."""
    rpc = conf.rpc
    return ConductorClient(transport_of(conf), timeout_seconds=rpc.call_timeout_seconds, topic=rpc.topic)
