"""The sign that the API gives to conductors over a real broker, and the changes that an older API leaves to them."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.broker import broker_topic, opened_transport
from support.claims import terms
from support.clocks import Clock
from support.site import Site
from support.steps import FileStep

from accel.conductor.claims import Hooks
from accel.conductor.manager import Limits, Manager
from accel.db import claims
from accel.db.engine import Database
from accel.db.scope import EVERYTHING
from accel.rpc import wire
from accel.rpc.client import Calls, ClaimsClient
from accel.rpc.messaging import oslo_messaging
from accel.rpc.server import serve

pytestmark = [
    pytest.mark.rabbitmq,
    # Where a connection breaks, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
PATIENCE_SECONDS = 30
TERMS = terms(steps=["file"], worker=None)


@pytest.fixture
def site(database: Database) -> Site:
    site = Site(database)
    site.report(site.gpu())
    return site


@contextmanager
def conductor(site: Site, directory: Path, hooks: Hooks) -> Iterator[tuple[oslo_messaging.Transport, str]]:
    claimed = site.conductor(steps={"file": FileStep(directory, clock=site.clock)}, hooks=hooks)
    manager = Manager(site.database, Clock(), Limits())
    with broker_topic() as topic, opened_transport(directory) as transport:
        server = serve(transport, manager, "conductor-1", topic=topic, claims=claimed)
        server.start()
        try:
            yield transport, topic
        finally:
            server.stop()
            server.wait()
    gc.collect()


def test_a_sign_has_a_conductor_make_ready_what_the_api_has_bound(site: Site, tmp_path: Path) -> None:
    is_bound, is_woken = threading.Event(), threading.Event()
    hooks = Hooks(at=lambda point: is_bound.set() if point == "bind.committed" else None, wake_notifier=is_woken.set)
    (uuid,) = site.make()
    wanted = site.binds([uuid])

    with conductor(site, tmp_path, hooks) as (transport, topic):
        site.database.write(
            lambda connection: claims.change(
                connection, wanted.changes, scope=EVERYTHING, terms=TERMS, origin=site.origin
            )
        )
        assert site.states(uuid) == ["BindStarted"]
        ClaimsClient(transport, topic=topic).take_up_work()
        assert is_bound.wait(PATIENCE_SECONDS)
        assert is_woken.wait(PATIENCE_SECONDS)

    assert site.states(uuid) == ["Bound"]


def test_a_conductor_binds_for_an_api_of_the_release_before(site: Site, tmp_path: Path) -> None:
    (uuid,) = site.make()

    with conductor(site, tmp_path, Hooks()) as (transport, topic):
        Calls(transport, topic=topic).call("change_requests", wanted=wire.encode(site.binds([uuid])))

    assert site.states(uuid) == ["Bound"]
