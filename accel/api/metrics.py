"""Figures for Prometheus at ``/metrics``: what was asked of the API, and what is in the inventory.

Requests are counted by the template of their route, never by their path, so that the number of series is bounded. The
inventory is counted by SQL when it is asked for; when the database is away, ``accel_database_up`` is 0 and the
inventory is left out, which is something else than an empty one.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, Counter, Histogram, exposition, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from accel.api import environment
from accel.db import health, notifications, placement_nodes, summary, uses
from accel.db.engine import Connection, Database
from accel.errors import DatabaseUnavailable
from accel.model.provider import SyncState

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_OTHER = "other"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counts and times requests, and answers at ``/metrics``."""

    def __init__(self, application: WSGIApplication, *, database: Database) -> None:
        self._application = application
        self._registry = CollectorRegistry()
        self._inventory = CollectorRegistry()
        self._inventory.register(Inventory(database))
        self._requests = Counter(
            "accel_api_requests",
            "Requests answered, by method, route and status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "accel_api_request_seconds",
            "Time from the first look at a request to the beginning of its answer, by method and route.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer at that path; pass everything else on and count it."""
        if environ.get("PATH_INFO") == "/metrics":
            return self._show(start_response)
        begin = time.perf_counter()
        status = ""

        def start(line: str, *rest: object) -> object:
            nonlocal status
            status = line[:3]
            return start_response(line, *rest)  # type: ignore[arg-type]

        answer = self._application(environ, start)  # type: ignore[arg-type]
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else _OTHER
        route = environ.get(environment.ROUTE, _OTHER)
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(time.perf_counter() - begin)
        return answer

    def _show(self, start_response: StartResponse) -> list[bytes]:
        body = exposition.generate_latest(self._inventory) + exposition.generate_latest(self._requests_of_all())
        headers = [("Content-Type", exposition.CONTENT_TYPE_LATEST), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    def _requests_of_all(self) -> CollectorRegistry:
        """The figures of all processes where they share them (``PROMETHEUS_MULTIPROC_DIR``), else our own."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self._registry
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library left it out
        return registry


class Inventory(Collector):
    """The inventory by SQL, each time it is collected."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: that the names are ours alone need not be checked by counting the inventory."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        is_up = GaugeMetricFamily("accel_database_up", "Whether the database answered when this was collected.")
        try:
            counts = self._database.read(_count)
        except DatabaseUnavailable:
            is_up.add_metric([], 0)
            yield is_up
            return
        is_up.add_metric([], 1)
        yield is_up
        yield _gauge(
            "accel_nodes", "Nodes by state.", ["state"], {(state,): count for state, count in counts.nodes.items()}
        )
        yield GaugeMetricFamily("accel_nova_notifications", "What Nova is still to be told.", counts.untold)
        told: dict[tuple[str, ...], int] = {(state,): count for state, count in counts.placement.items()}
        yield _gauge("accel_placement_nodes", "Nodes by how OpenStack Placement agrees with them.", ["state"], told)
        held: dict[tuple[str, ...], int] = {(one.namespace, one.pod): one.handles for one in counts.pods}
        yield _gauge(
            "accelerator_held", "Attach handles that the containers of a pod have.", ["namespace", "pod"], held
        )
        kinds = {group.values[0]: group for group in counts.groups}
        yield _gauge("accel_devices", "Devices by type and state.", ["type", "state"], _devices(kinds))
        yield _gauge("accel_attach_handles", "Attach handles by type and state.", ["type", "state"], _handles(kinds))
        disabled: dict[tuple[str, ...], int] = {(kind,): group.devices.disabled for kind, group in kinds.items()}
        labels = ["source", "value"]
        yield _gauge(
            "accel_device_complaints", "Devices with a signal of health that is bad.", labels, counts.complaints
        )
        yield _gauge("accel_devices_disabled", "Devices that an operator has disabled, by type.", ["type"], disabled)


class _Counts(NamedTuple):
    """What the inventory comes to."""

    groups: list[summary.Group]
    nodes: dict[str, int]
    untold: int
    placement: dict[SyncState, int]
    complaints: dict[tuple[str, ...], int]
    pods: list[uses.Held]


def _count(connection: Connection) -> _Counts:
    return _Counts(
        groups=summary.groups(connection, ["type"]),
        nodes=summary.nodes_by_state(connection),
        untold=notifications.count(connection),
        placement=placement_nodes.states(connection),
        complaints=health.complaints_by_source(connection),
        pods=uses.held(connection),
    )


def _devices(kinds: Mapping[str, summary.Group]) -> dict[tuple[str, ...], int]:
    figures: dict[tuple[str, ...], int] = {}
    for kind, (_values, devices, _handles) in kinds.items():
        figures[kind, "healthy"] = devices.devices - devices.unhealthy - devices.unknown - devices.lost
        figures[kind, "unhealthy"] = devices.unhealthy
        figures[kind, "unknown"] = devices.unknown
        figures[kind, "lost"] = devices.lost
    return figures


def _handles(kinds: Mapping[str, summary.Group]) -> dict[tuple[str, ...], int]:
    figures: dict[tuple[str, ...], int] = {}
    for kind, (_values, _devices, handles) in kinds.items():
        figures[kind, "free"] = handles.free
        figures[kind, "held"] = handles.held
        figures[kind, "unusable"] = handles.total - handles.free - handles.held
    return figures


def _gauge(name: str, text: str, labels: list[str], figures: Mapping[tuple[str, ...], int]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=labels)
    for values, figure in figures.items():
        gauge.add_metric(values, figure)
    return gauge
