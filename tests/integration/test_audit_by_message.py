"""An audit over a real broker, with a Nova to ask."""

import gc
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import update
from support.broker import broker_topic, opened_transport
from support.clocks import Clock
from support.nova import StandInNova, connected, options, running_nova
from support.site import Site

from accel.conductor.claims import Hooks
from accel.conductor.manager import Limits, Manager
from accel.db.engine import Database
from accel.db.tables import AcceleratorRequest
from accel.model.audit import Audit, AuditWanted, FindingKind
from accel.model.request import Caller
from accel.rpc.client import ClaimsClient
from accel.rpc.server import serve

pytestmark = [
    pytest.mark.rabbitmq,
    # Where a connection breaks, the library leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
ADMIN = Caller(request_id="req-9", user_id="ada", sees_all=True)


@pytest.fixture
def topic() -> Iterator[str]:
    with broker_topic() as name:
        yield name
    gc.collect()


@pytest.fixture
def nova() -> Iterator[StandInNova]:
    with running_nova() as nova:
        yield nova


@pytest.fixture
def site(database: Database) -> Site:
    return Site(database)


@pytest.fixture
def conductor(site: Site, nova: StandInNova, topic: str, tmp_path: Path) -> Iterator[ClaimsClient]:
    claims = site.conductor(hooks=Hooks(gone=connected(tmp_path, options(nova.url)).gone))
    manager = Manager(site.database, Clock(), Limits())
    with opened_transport(tmp_path) as transport:
        server = serve(transport, manager, "conductor-1", topic=topic, claims=claims)
        server.start()
        try:
            yield ClaimsClient(transport, topic=topic)
        finally:
            server.stop()
            server.wait()


def bound(site: Site, instance: str) -> str:
    """A request that is bound for an instance of that very UUID."""
    (uuid,) = site.make()
    site.conductor().change_requests(site.binds([uuid], instance=instance))
    its_row = AcceleratorRequest.uuid == uuid
    change = update(AcceleratorRequest).where(its_row).values(instance_uuid=instance)
    site.database.write(lambda connection: connection.execute(change))
    return uuid


def test_the_requests_of_an_instance_that_nova_has_deleted_are_found_and_deleted(
    site: Site, nova: StandInNova, conductor: ClaimsClient
) -> None:
    site.report(site.gpu(handles=2))
    lives, gone = str(uuid4()), str(uuid4())
    nova.servers[lives] = "host"
    kept, left = bound(site, lives), bound(site, gone)

    found = conductor.audit(AuditWanted(caller=ADMIN))
    mended = conductor.audit(AuditWanted(caller=ADMIN, fix=True))

    (finding,) = found.findings
    assert (finding.kind, finding.subject, finding.is_mended) == (FindingKind.INSTANCE_GONE, left, False)
    assert f"instance {gone}, which Nova does not know" in finding.text
    assert [(finding.subject, finding.is_mended) for finding in mended.findings] == [(left, True)]
    assert (site.states(kept), site.left(), site.held()) == (["Bound"], 1, 1)
    assert conductor.audit(AuditWanted(caller=ADMIN)) == Audit()


def test_to_a_user_who_may_not_see_all_instances_nova_is_not_believed(
    site: Site, nova: StandInNova, conductor: ClaimsClient
) -> None:
    site.report(site.gpu())
    uuid = bound(site, str(uuid4()))
    nova.sees_all = False

    audit = conductor.audit(AuditWanted(caller=ADMIN, fix=True))

    assert audit.findings == ()
    assert "the role admin" in audit.left_out[0]
    assert site.states(uuid) == ["Bound"]
