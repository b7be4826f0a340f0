"""Requests are bound, unbound and deleted wholly or not at all, on every database we support."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from support.reports import pci_handle
from support.site import Site

from accel.db import profiles
from accel.db.engine import Connection, Database
from accel.db.scope import EVERYTHING
from accel.errors import AccelError, Conflict, InvalidValue, NotFound
from accel.model.device import Health
from accel.model.node import DeviceStatus
from accel.model.request import RequestChange

NOWHERE = "99999999-0000-4000-8000-000000000000"


@pytest.fixture
def site(shared_database: Database) -> Site:
    return Site(shared_database)


def test_a_bound_request_shows_its_handle_and_an_unbound_one_has_given_it_back(site: Site) -> None:
    site.report(site.gpu())
    conductor, [uuid] = site.conductor(), site.make()
    conductor.change_requests(site.binds([uuid]))
    bound = site.request(uuid)
    assert (bound.state, bound.hostname, bound.device_rp_uuid) == ("Bound", site.node, site.provider())
    assert (bound.instance_uuid, bound.handle_type) == (f"vm-{site.name}", "PCI")
    assert bound.handle_info == dict(pci_handle(1).info)
    [holder] = site.holders()
    assert (holder.name, holder.project_id, holder.handle) == (bound.instance_uuid, site.project, bound.handle_uuid)

    conductor.change_requests(site.unbinds([uuid]))
    unbound = site.request(uuid)
    assert (unbound.state, unbound.hostname, unbound.device_rp_uuid) == ("Unbound", None, None)
    assert (unbound.instance_uuid, unbound.handle_uuid) == (None, None)
    assert site.held() == 0


def test_what_is_given_back_can_be_had_again(site: Site) -> None:
    site.report(site.gpu())
    conductor, [first, second] = site.conductor(), site.make(2)
    for uuid in (first, second, first):
        conductor.change_requests(site.binds([uuid]))
        assert site.states(uuid) == ["Bound"]
        conductor.change_requests(site.unbinds([uuid]))


def test_one_call_may_bind_one_and_unbind_another_and_hand_over_the_handle(site: Site) -> None:
    site.report(site.gpu())
    conductor, [old, new] = site.conductor(), site.make(2)
    conductor.change_requests(site.binds([old]))
    conductor.change_requests(site.wanted(RequestChange(request=new, target=site.target()), RequestChange(request=old)))
    assert site.states(old, new) == ["Unbound", "Bound"]
    assert site.held() == 1


def test_all_that_one_call_binds_has_a_handle_of_its_own(site: Site) -> None:
    site.report(site.gpu(1, handles=3), site.gpu(2, handles=2))
    uuids = site.make(5)
    wanted = site.wanted(
        *(RequestChange(request=uuid, target=site.target(1)) for uuid in uuids[:3]),
        *(RequestChange(request=uuid, target=site.target(2)) for uuid in uuids[3:]),
    )
    site.conductor().change_requests(wanted)
    handles = [site.request(uuid).handle_uuid for uuid in uuids]
    assert len(set(handles)) == site.held() == 5


def test_a_deleted_request_is_gone_with_what_it_held(site: Site) -> None:
    site.report(site.gpu())
    uuids = site.make(2)
    site.conductor().change_requests(site.binds(uuids[:1]))
    assert site.delete(*uuids) == []
    assert (site.left(), site.held()) == (0, 0)


def test_the_requests_of_an_instance_can_be_deleted_together_and_again(site: Site) -> None:
    site.report(site.gpu(1, handles=3))
    uuids = site.make(3)
    site.conductor().change_requests(site.binds(uuids[:2], instance="going"))
    site.conductor().change_requests(site.binds(uuids[2:], instance="staying"))
    assert site.delete(instance="going") == []
    assert site.delete(instance="going") == []
    assert (site.left(), site.held()) == (1, 1)
    assert site.states(uuids[2]) == ["Bound"]


# --- refused, with the reason ---


def _unknown_provider(site: Site, uuid: str) -> RequestChange:
    return RequestChange(request=uuid, target=site.target(device_rp_uuid=NOWHERE))


def _wrong_host(site: Site, uuid: str) -> RequestChange:
    return RequestChange(request=uuid, target=site.target(hostname="elsewhere"))


def _disabled(site: Site, uuid: str) -> RequestChange:
    site.set_status(DeviceStatus.MAINTAINING)
    return RequestChange(request=uuid, target=site.target())


def _unhealthy(site: Site, uuid: str) -> RequestChange:
    site.report(site.gpu(health=Health.UNHEALTHY, reason="ECC errors"), site.gpu(2))
    return RequestChange(request=uuid, target=site.target())


def _unknown_health(site: Site, uuid: str) -> RequestChange:
    site.report(site.gpu(health=Health.UNKNOWN, reason="no answer"), site.gpu(2))
    return RequestChange(request=uuid, target=site.target())


def _lost_device(site: Site, uuid: str) -> RequestChange:
    site.hold()
    site.report(site.gpu(2))
    return RequestChange(request=uuid, target=site.target())


def _lost_deployable(site: Site, uuid: str) -> RequestChange:
    site.hold()
    site.report(site.gpu(deployables=()), site.gpu(2))
    return RequestChange(request=uuid, target=site.target())


def _held(site: Site, uuid: str) -> RequestChange:
    site.hold()
    return RequestChange(request=uuid, target=site.target())


def _held_by_another_name(site: Site, uuid: str) -> RequestChange:
    site.hold()
    site.report(site.gpu(identity=f"GPU-new-{site.name}"), site.gpu(2))
    return RequestChange(request=uuid, target=site.target())


def _no_handle(site: Site, uuid: str) -> RequestChange:
    site.report(site.gpu(handles=0), site.gpu(2))
    return RequestChange(request=uuid, target=site.target())


def _instance_has_others(site: Site, uuid: str) -> RequestChange:
    site.conductor().change_requests(site.binds(site.make(), 2))
    return RequestChange(request=uuid, target=site.target())


def _over_quota(site: Site, uuid: str) -> RequestChange:
    site.limit(1)
    site.conductor().change_requests(site.binds(site.make(), 2, instance="other"))
    return RequestChange(request=uuid, target=site.target())


def _wrong_state(site: Site, uuid: str) -> RequestChange:
    site.conductor().change_requests(site.binds([uuid], 2, instance="other"))
    return RequestChange(request=uuid, target=site.target())


def _bound_to_it_already(site: Site, uuid: str) -> RequestChange:
    site.conductor().change_requests(site.binds([uuid], 2))
    return RequestChange(request=uuid, target=site.target(2))


def _unknown_request(site: Site, _uuid: str) -> RequestChange:
    return RequestChange(request=NOWHERE, target=site.target())


def _of_another_project(site: Site, _uuid: str) -> RequestChange:
    [theirs] = site.make(project="theirs")
    return RequestChange(request=theirs, target=site.target())


REFUSALS: dict[Callable[[Site, str], RequestChange], tuple[type[AccelError], str]] = {
    _unknown_provider: (NotFound, f"Resource provider not found: {NOWHERE}"),
    _wrong_host: (Conflict, r"provider \S+ is on node node-\w+, not on elsewhere"),
    _disabled: (Conflict, r"its device \S+ is disabled \(maintaining\)"),
    _unhealthy: (Conflict, r"the health of its device \S+ is unhealthy: ECC errors"),
    _unknown_health: (Conflict, r"the health of its device \S+ is unknown: no answer"),
    _lost_device: (Conflict, r"its device \S+ is lost"),
    _lost_deployable: (Conflict, r"cannot be bound to: \w+_1 is lost"),
    _held: (Conflict, r"has 0 free of 1 attach handles; 1 wanted"),
    _held_by_another_name: (
        Conflict,
        r"1 free of 1 attach handles, some of which stand for what is held through a lost",
    ),
    _no_handle: (Conflict, r"has 0 free of 0 attach handles; 1 wanted"),
    _instance_has_others: (InvalidValue, r"instance_uuid: 'vm-\w+' is not new: .* and it has \S+ already"),
    _bound_to_it_already: (InvalidValue, r"instance_uuid: 'vm-\w+' is not new: .* and it has \S+ already"),
    _over_quota: (Conflict, r"quota of project project-\w+: 1 of PGPU, 1 held and 2 more wanted"),
    _wrong_state: (Conflict, r"accelerator request \S+ is Bound: cannot bind"),
    _unknown_request: (NotFound, f"Accelerator request not found: {NOWHERE}"),
    _of_another_project: (NotFound, "Accelerator request not found"),
}


@pytest.mark.parametrize("obstacle", REFUSALS, ids=lambda obstacle: obstacle.__name__.strip("_"))
def test_what_cannot_be_bound_is_refused_with_the_reason_and_nothing_else_of_the_call_is_done(
    obstacle: Callable[[Site, str], RequestChange], site: Site
) -> None:
    site.report(site.gpu(1), site.gpu(2, handles=3))
    uuid, other = site.make(2)
    refused = obstacle(site, uuid)
    before = (site.states(uuid, other), site.held(), len(site.events(uuid)), site.notifications(uuid, other))
    kind, text = REFUSALS[obstacle]
    well = RequestChange(request=other, target=site.target(2))
    for changes in ((well, refused), (refused, well)):
        with pytest.raises(kind, match=text) as raised:
            site.conductor().change_requests(site.wanted(*changes))
        assert raised.type is kind
    after = (site.states(uuid, other), site.held(), len(site.events(uuid)), site.notifications(uuid, other))
    assert after == before


def test_what_cannot_be_unbound_is_refused_and_nothing_else_of_the_call_is_done(site: Site) -> None:
    site.report(site.gpu())
    [uuid] = site.make()
    with pytest.raises(NotFound, match=NOWHERE):
        site.conductor().change_requests(site.unbinds([uuid, NOWHERE]))
    assert site.states(uuid) == ["Initial"]


def test_a_provider_that_two_nodes_have_is_bound_on_the_node_that_is_asked_for(site: Site) -> None:
    site.report(site.gpu(), node=f"other-{site.name}")
    site.report(site.gpu())
    [uuid] = site.make()
    site.conductor().change_requests(site.binds([uuid]))
    assert site.request(uuid).hostname == site.node


def test_a_card_that_has_returned_is_bound_although_its_successor_had_the_same_provider(site: Site) -> None:
    site.report(site.gpu())
    site.report(site.gpu(identity=f"GPU-new-{site.name}"))
    site.report(site.gpu())
    [uuid] = site.make()
    site.conductor().change_requests(site.binds([uuid]))
    assert site.states(uuid) == ["Bound"]


def test_a_quota_counts_what_is_held_only_and_each_class_for_itself(site: Site) -> None:
    site.limit(2)
    site.limit(0, resource_class="FPGA")
    site.report(site.gpu(handles=4))
    conductor, uuids = site.conductor(), site.make(4)
    conductor.change_requests(site.binds(uuids[:2]))
    with pytest.raises(Conflict, match="2 held and 1 more wanted"):
        conductor.change_requests(site.binds(uuids[2:3], instance="more"))
    conductor.change_requests(site.unbinds(uuids[:1]))
    conductor.change_requests(site.binds(uuids[2:3], instance="more"))
    assert site.states(*uuids) == ["Unbound", "Bound", "Bound", "Initial"]


# --- what stays and what is told ---


def test_a_request_stays_with_its_project_unless_the_call_names_another(site: Site) -> None:
    site.report(site.gpu(handles=2))
    kept, moved = site.make(2)
    site.conductor().change_requests(site.binds([kept]))
    site.conductor().change_requests(site.binds([moved], instance="vm-2", project_id="blue"))
    assert [site.request(uuid).project_id for uuid in (kept, moved)] == [site.project, "blue"]
    assert [holder.project_id for holder in site.holders()] == [site.project, "blue"]
    assert [event.project_id for event in site.events(moved)] == [site.project, "blue"]


def test_a_request_keeps_the_group_that_it_was_made_from_when_the_profile_changes(site: Site) -> None:
    group = {"resources:PGPU": "1", "trait:CUSTOM_FAST": "required"}
    [uuid] = site.make(group=group)

    def change(connection: Connection) -> None:
        row = profiles.get_to_change(connection, site.profile, scope=EVERYTHING)
        changes = {"groups": [{"resources:FPGA": "2"}], "name": f"new-{site.profile}"}
        profiles.change(connection, row, changes, version=row.version, origin=site.origin)

    site.database.write(change)
    kept = site.request(uuid)
    assert (kept.group, kept.resource_class, kept.profile_name) == (group, "PGPU", site.profile)


def test_a_profile_that_is_in_use_cannot_be_deleted_and_the_refusal_names_the_users(site: Site) -> None:
    users = site.make(2)

    with pytest.raises(Conflict, match=re.escape(f"in use by accelerator requests {users[0]}, {users[1]}: delete")):
        site.delete_profile()
    site.delete(*users)
    site.delete_profile()


def test_each_change_is_an_event_that_says_who_asked_by_which_call_and_whose_affair_it_is(site: Site) -> None:
    site.report(site.gpu())
    conductor, [uuid] = site.conductor(), site.make()
    conductor.change_requests(site.binds([uuid]))
    conductor.change_requests(site.unbinds([uuid]))
    site.delete(uuid)
    events = site.events(uuid)
    kinds = ["request.created", "request.bound", "request.unbound", "request.deleted"]
    assert [event.kind for event in events] == kinds
    assert {(event.project_id, event.request_id, event.source) for event in events} == {
        (site.project, "req-1", "api:mia")
    }
    assert [event.before and event.before["state"] for event in events] == [None, "Initial", "Bound", "Unbound"]
    assert [event.after and event.after["state"] for event in events] == ["Initial", "Bound", "Unbound", None]
    assert [event.node for event in events] == [None, site.node, site.node, None]
    assert [event.device_uuid for event in events] == [None, site.device(), site.device(), None]


def test_nova_is_to_be_told_of_each_request_that_is_bound_in_the_transaction_that_binds_it(site: Site) -> None:
    site.report(site.gpu(handles=2))
    conductor, uuids = site.conductor(), site.make(2)
    conductor.change_requests(site.binds(uuids))
    assert site.notifications(*uuids) == [(f"vm-{site.name}", "completed")] * 2
    conductor.change_requests(site.unbinds(uuids))
    site.delete(*uuids)
    assert len(site.notifications(*uuids)) == 2


def test_without_a_nova_nobody_is_told(site: Site) -> None:
    site = replace(site, tells_nova=False)
    site.report(site.gpu())
    [uuid] = site.make()
    site.conductor().change_requests(site.binds([uuid]))
    assert site.notifications(uuid) == []


def test_what_is_bound_stays_bound_when_its_card_is_lost_and_when_it_returns(site: Site) -> None:
    site.report(site.gpu(), site.gpu(2))
    [uuid] = site.make()
    site.conductor().change_requests(site.binds([uuid]))
    handle = site.request(uuid).handle_uuid
    site.report(site.gpu(2))
    assert (site.request(uuid).state, site.request(uuid).handle_uuid) == ("Bound", handle)
    site.report(site.gpu(), site.gpu(2))
    assert (site.request(uuid).state, site.request(uuid).handle_uuid) == ("Bound", handle)
    site.report(site.gpu(2))
    site.conductor().change_requests(site.unbinds([uuid]))
    assert site.held() == 0
