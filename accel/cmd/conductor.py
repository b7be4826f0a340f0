"""``accel-conductor``: takes the reports of agents into the database."""

import signal
import sys
from collections.abc import Sequence
from threading import Event

from oslo_config import cfg
from oslo_log import log

from accel import conf as configuration
from accel.cmd import systemd
from accel.cmd.conductor_jobs import make_agents
from accel.cmd.conductor_parts import ConductorParts
from accel.cmd.stopping import until_set
from accel.conductor.images import ImageReader
from accel.conductor.service import begin
from accel.db.engine import Database
from accel.db.migrate import check_schema
from accel.errors import AccelError
from accel.rpc.messaging import brokers_of, transport_of
from accel.rpc.server import serve

PROG = "accel-conductor"
_LOG = log.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    :return: the exit status: 1 when the service cannot start as it is configured, or ends by a mistake of its own
    """
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        conf = configuration.load(sys.argv[1:] if argv is None else argv, prog=PROG)
        log.setup(conf, PROG)
        return run(conf, stop)
    except AccelError as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 1


def run(conf: cfg.ConfigOpts, stop: Event) -> int:
    """Wait for the database and the broker, then serve until ``stop`` is set.

    :return: the exit status
    :raises ConfigurationError: the database's schema is not the one of this release, or it does not say how to speak to
        Nova, Placement or Glance
    """
    database = Database.configured(conf.database)
    transport = transport_of(conf)
    with ConductorParts(database, conf, make_agents(database, conf, transport), stop) as parts:
        if not database.wait_until_ready(stop):
            return 0
        check_schema(database)
        parts.take_up()
        images = ImageReader(database)
        server = serve(transport, parts.manager, conf.host, topic=conf.rpc.topic, claims=parts.claims, images=images)
        if not begin(server.start, stop, awaited=_brokers(conf)):
            return 0 if stop.is_set() else 1
        parts.start()
        _LOG.info("conductor %s takes reports into %s", conf.host, database.name)
        systemd.notify(systemd.READY)
        until_set(stop)
        systemd.notify(systemd.STOPPING)
        server.stop()
        server.wait()
    database.close()
    return 1 if parts.has_failed else 0


def _brokers(conf: cfg.ConfigOpts) -> str:
    """The brokers of ``transport_url`` without their passwords."""
    return "the broker at " + " or ".join(f"{host}:{port}" for host, port in brokers_of(conf))
