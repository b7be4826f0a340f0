"""oslo.messaging, for threads. Every other module of ours that needs it imports it from here.

Some of the libraries below it import eventlet wherever they find it, and they always do, because oslo.service requires
it. It would cost a node daemon 20 MiB and could patch the standard library, so here it counts as not installed.
"""

import sys

sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]  # None is how Python spells "not to be found"

from oslo_service.backend import BackendType, init_backend  # noqa: E402  # after eventlet is out of the way

init_backend(BackendType.THREADING)

import oslo_messaging  # noqa: E402  # it takes the backend that is chosen when it is imported
from oslo_config import cfg  # noqa: E402  # with the others
from oslo_messaging import opts  # noqa: E402  # with the others
from oslo_messaging._metrics.client import oslo_messaging_metrics  # noqa: E402  # see _register_options
from oslo_messaging._tracing.client import oslo_messaging_tracing  # noqa: E402  # see _register_options

from accel.conf.checks import check_values  # noqa: E402  # with the others
from accel.errors import ConfigurationError  # noqa: E402  # with the others

__all__ = ["brokers_of", "oslo_messaging", "transport_of"]

_EXCHANGE = "accel"
_DEFAULT_PORT = 5672
_RECONNECT_INTERVAL_SECONDS = 10
"""At most this long after the broker is back, everybody has noticed."""


def transport_of(conf: cfg.ConfigOpts, *, threads: int | None = None) -> oslo_messaging.Transport:
    """The way to the broker of ``transport_url``; nothing is connected yet.

    :param conf: read already, with the groups of accel registered
    :param threads: how many messages a server takes at once; by default as many as conductors do
    :raises ConfigurationError: ``transport_url`` is no URL of a broker, or another option is wrong
    """
    _register_options(conf, threads or conf.rpc.conductor_threads)
    try:
        return oslo_messaging.get_rpc_transport(conf)
    except (oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure) as error:
        raise ConfigurationError(f"transport_url: {error}") from error


def brokers_of(conf: cfg.ConfigOpts) -> list[tuple[str, int]]:
    """Host and port of each broker that ``transport_url`` names.

    :raises ConfigurationError: it is no URL of a broker, or another option is wrong
    """
    _register_options(conf, conf.rpc.conductor_threads)
    try:
        url = oslo_messaging.TransportURL.parse(conf)
    except oslo_messaging.InvalidTransportURL as error:
        raise ConfigurationError(f"transport_url: {error}") from error
    return [(host.hostname or "localhost", host.port or _DEFAULT_PORT) for host in url.hosts] or [
        ("localhost", _DEFAULT_PORT)
    ]


def _register_options(conf: cfg.ConfigOpts, threads: int) -> None:
    """Make the library's options known to our object, with defaults that suit us.

    It registers tracing and metrics with its global object only, though it reads them from ours.
    """
    for group, options in opts.list_opts():
        conf.register_opts(options, group=group)
    conf.register_opts(oslo_messaging_tracing, group="oslo_messaging_tracing")
    conf.register_opts(oslo_messaging_metrics, group="oslo_messaging_metrics")
    conf.set_default("control_exchange", _EXCHANGE)
    conf.set_default("executor_thread_pool_size", threads)
    # A message taken from the queue is lost if the broker falls over before the reply, so few are taken ahead.
    conf.set_default("rabbit_qos_prefetch_count", threads, group="oslo_messaging_rabbit")
    # A queue that outlives a restart of its broker. A quorum queue, which outlives a broker of a cluster too, writes
    # each message to disk, which none of ours needs: whoever sends one hears of no answer and sends it again.
    conf.set_default("amqp_durable_queues", default=True, group="oslo_messaging_rabbit")
    conf.set_default("rabbit_interval_max", _RECONNECT_INTERVAL_SECONDS, group="oslo_messaging_rabbit")
    # Nobody waits longer for a reply than the caller does.
    conf.set_default(
        "kombu_missing_consumer_retry_timeout", conf.rpc.call_timeout_seconds, group="oslo_messaging_rabbit"
    )
    check_values(conf)
