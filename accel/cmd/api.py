"""``accel-api``: the REST API, in gunicorn's processes and threads."""

import gc
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication
from oslo_config import cfg
from oslo_log import log

from accel import conf as configuration
from accel.api.fleet_index import FleetIndex
from accel.api.identity import check_identity, is_loopback
from accel.api.placing import Placing
from accel.api.pods import configured_resources
from accel.api.recent_sizes import RecentSizes
from accel.cmd.placement import configured_policy
from accel.cmd.worker import StayingWorker
from accel.db.engine import Database
from accel.db.migrate import check_schema
from accel.errors import AccelError, ConfigurationError, DatabaseUnavailable
from accel.policies.enforcer import check_policy
from accel.rpc.client import ClaimsClient
from accel.rpc.messaging import transport_of

PROG = "accel-api"
LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal says stop.

    :return: the exit status: 1 when the service cannot start as it is configured
    """
    try:
        conf = configuration.load(sys.argv[1:] if argv is None else argv, prog=PROG)
        check_access(conf)
        configured_policy(conf)
        configured_resources(conf)
        log.setup(conf, PROG)
        _check_database(conf)
    except AccelError as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 1
    # Workers share their figures through files: /metrics tells of all of them, whichever is asked.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared = tempfile.mkdtemp(prefix=f"{PROG}-")
    _Gunicorn(conf, on_exit=lambda _arbiter: shutil.rmtree(shared)).run()
    return 0


def check_access(conf: cfg.ConfigOpts) -> None:
    """Refuse to start with what nobody could be let in by, or everybody would be.

    :raises ConfigurationError: the text says what is wrong and where
    """
    check_listening(conf)
    check_identity(conf)
    check_policy(conf)


def check_listening(conf: cfg.ConfigOpts) -> None:
    """Refuse to serve everybody what only an administrator may do.

    :raises ConfigurationError: without authentication, the address to listen on is not a loopback address
    """
    if conf.api.auth_strategy == "none" and not is_loopback(conf.api.host):
        raise ConfigurationError(
            f"[api] host = {conf.api.host} can be reached from other machines, and with auth_strategy = none whoever "
            "reaches the service is an administrator; listen on 127.0.0.1 or ::1"
        )


def _check_database(conf: cfg.ConfigOpts) -> None:
    """Refuse to work on a schema of another release; a database that is away is waited for while serving.

    :raises ConfigurationError: the schema is older or newer than ours
    """
    database = Database.configured(conf.database)
    try:
        check_schema(database)
    except DatabaseUnavailable as error:
        LOG.warning("database %s does not answer, requests get status 503 until it does: %s", database.name, error)
    finally:
        database.close()


def make_application(conf: cfg.ConfigOpts) -> WSGIApplication:
    """The WSGI application of a configuration; it connects to database and broker when they are needed."""
    # Where prometheus_client keeps its figures is decided when it is imported.
    from accel.api.app import make_app  # noqa: PLC0415

    claims = ClaimsClient(transport_of(conf), timeout_seconds=conf.rpc.call_timeout_seconds, topic=conf.rpc.topic)
    database = Database.configured(conf.database)
    return make_app(database, conf, claims, placing=start_placing(database, conf))


def start_placing(database: Database, conf: cfg.ConfigOpts) -> Placing:
    """What questions about placement are answered with; from now on the fleet is read for it.

    :raises ConfigurationError: what is good is not said so that it is understood
    """
    index = FleetIndex(database, when_read=spare_what_stays)
    index.start()
    recent = RecentSizes.configured(database, conf.placement_engine)
    return Placing(index=index, recent=recent, configured=configured_policy(conf))


class _Gunicorn(BaseApplication):  # type: ignore[misc] # gunicorn publishes no types
    """Gunicorn with settings from our configuration; each worker makes its own application."""

    def __init__(self, conf: cfg.ConfigOpts, *, on_exit: Callable[[object], None]) -> None:
        self._conf = conf
        self._on_exit = on_exit
        super().__init__(prog=PROG)

    def load_config(self) -> None:
        """Gunicorn's question for its settings."""
        api = self._conf.api
        host = f"[{api.host}]" if ":" in api.host else api.host
        settings: dict[str, Any] = {
            "bind": f"{host}:{api.port}",
            "workers": api.workers,
            "threads": api.threads,
            "worker_class": StayingWorker,
            "limit_request_line": 8190,  # the most it takes: queries that name many things
            "keepalive": 75,  # seconds; the default of 2 costs a client that asks now and then a connection each time
            "proc_name": PROG,
            "control_socket_disable": True,
            "on_exit": self._on_exit,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """A worker's question for its application."""
        relax_garbage_collection()
        return make_application(self._conf)


def relax_garbage_collection() -> None:
    """Look for cycles less often: the rows of a long list are many objects and no cycle.

    With Python's own thresholds half of the time of a list of 10,000 devices is spent on looking.
    """
    gc.set_threshold(100_000, 20, 100)


def spare_what_stays() -> None:
    """Look for cycles no more among the objects that there are now, such as a fleet just read.

    Looking through 10,000 nodes takes about half a second, in which nobody is answered. What is spared still goes when
    nothing refers to it any more, as the nodes do that are read anew: there are no cycles among them.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
