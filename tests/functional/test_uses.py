"""What pods use becomes known to the control plane, and what others hold to the node."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from support.clocks import Clock
from support.databases import counted_statements
from support.inventories import event_kinds, events, free_devices, hold, release
from support.reports import NODE, answer, card, gpu, report

from accel.agent.bell import Bell, Call
from accel.agent.board import Board
from accel.agent.ownership import KUBELET, Ownership
from accel.conductor.kubelets import Kubelets
from accel.conductor.manager import Limits, Manager
from accel.db import uses
from accel.db.engine import Database
from accel.db.tables import AttachHandle, Deployable, Device, Holder
from accel.drivers.base import Host
from accel.errors import ConductorUnavailable
from accel.model.device import Presence
from accel.model.offer import Holder as Container
from accel.model.offer import Withdrawal, handle_id
from accel.model.report import NodeReport, Use
from accel.rpc.agents import LocalAgents
from accel.rpc.local import LocalConductor

FIRST, SECOND = "ml/train-0/main", "ml/train-1/main"


class Seen:
    """A node of two cards whose agent reports."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.manager = Manager(database, self.clock, Limits())
        self.database = database
        self.sequence = 0
        self.devices = (gpu(1), gpu(2))

    def report(self, *used: tuple[int, str]) -> None:
        """The report of a kubelet that says who has which cards."""
        self.send(uses=tuple(Use(handle=self.handle(number), name=name) for number, name in used))

    def send(self, **changed: Any) -> None:
        self.sequence += 1
        made: NodeReport = report(answer(*self.devices), sequence=self.sequence)
        self.manager.report(replace(made, **changed))

    def handle(self, number: int) -> str:
        part = card(number)
        return handle_id(part, part.handles[0])

    def holders(self) -> list[tuple[str, str, str]]:
        """Of each card that has one: its identity, the kind of the holder, and his name."""
        query = (
            select(Device.identity, Holder.kind, Holder.name)
            .join_from(Holder, AttachHandle, AttachHandle.id == Holder.attach_handle_id)
            .join(Deployable, Deployable.id == AttachHandle.deployable_id)
            .join(Device, Device.id == Deployable.device_id)
            .order_by(Device.identity)
        )
        return [tuple(row) for row in self.database.read(lambda connection: connection.execute(query).all())]

    def settle(self) -> None:
        self.database.write(lambda connection: uses.settle(connection, NODE, self.clock()))

    def withdrawn(self) -> dict[str, str]:
        return {one.handle: one.reason for one in self.manager.withdrawals(NODE)}


@pytest.fixture
def seen(database: Database) -> Seen:
    return Seen(database)


# --- what pods have ---


def test_what_a_container_has_is_held_by_its_pod_and_free_for_nobody(seen: Seen) -> None:
    seen.report((1, FIRST))

    assert seen.holders() == [("GPU-1", "pod", FIRST)]
    assert free_devices(seen.database) == ["GPU-2"]
    assert event_kinds(seen.database)[-1] == "holder.added"


def test_what_a_pod_has_given_back_is_free(seen: Seen) -> None:
    seen.report((1, FIRST))
    seen.report()

    assert seen.holders() == []
    assert free_devices(seen.database) == ["GPU-1", "GPU-2"]
    assert event_kinds(seen.database)[-2:] == ["holder.added", "holder.released"]


def test_of_those_who_share_a_card_one_is_the_holder_as_long_as_he_has_it(seen: Seen) -> None:
    seen.report((1, FIRST), (1, SECOND))
    assert seen.holders() == [("GPU-1", "pod", FIRST)]

    seen.report((1, SECOND))
    assert seen.holders() == [("GPU-1", "pod", SECOND)]
    assert event_kinds(seen.database)[-2:] == ["holder.released", "holder.added"]


def test_an_agent_that_has_not_heard_its_kubelet_yet_takes_nothing_from_pods(seen: Seen) -> None:
    seen.report((1, FIRST))
    seen.send(uses=None, boot_id="after-a-restart")

    assert seen.holders() == [("GPU-1", "pod", FIRST)]


def test_a_card_that_vanishes_keeps_its_pod(seen: Seen) -> None:
    seen.report((1, FIRST))
    seen.devices = (gpu(2),)
    seen.report((1, FIRST))

    assert seen.holders() == [("GPU-1", "pod", FIRST)]
    query = select(Device.presence).where(Device.identity == "GPU-1")
    assert seen.database.read(lambda connection: connection.scalar(query)) == Presence.LOST


def test_a_handle_that_nobody_knows_is_no_reason_to_refuse_a_report(seen: Seen) -> None:
    seen.send(uses=(Use(handle="0" * 32, name=FIRST),))

    assert seen.holders() == []


def test_pods_are_counted_by_the_handles_that_they_have(seen: Seen) -> None:
    seen.report((1, "ml/train-0/main"), (1, "ml/train-0/side"), (2, "ml/train-0/main"), (2, "web/infer/main"))

    counted = seen.database.read(uses.held)

    assert counted == [("ml", "train-0", 2), ("web", "infer", 1)]


def test_a_name_that_is_too_long_for_a_holder_is_cut(seen: Seen) -> None:
    name = f"{'n' * 63}/{'p' * 253}/{'c' * 63}"
    seen.report((1, name))
    seen.report((1, name), (2, FIRST))

    [(_, _, held), _] = seen.holders()
    assert (len(held), held[-1]) == (255, "…")


def test_what_a_report_of_uses_costs_does_not_grow_with_them(seen: Seen) -> None:
    seen.devices = tuple(gpu(number) for number in range(1, 41))
    seen.report()
    with counted_statements(seen.database) as one:
        seen.report((1, FIRST))
    with counted_statements(seen.database) as many:
        seen.report(*((number, FIRST) for number in range(2, 41)))
    with counted_statements(seen.database) as unchanged:
        seen.report(*((number, FIRST) for number in range(2, 41)))
    assert len(many) == len(one) + 2  # what ends is deleted, and its holders
    assert len(unchanged) == 2


# --- double owners ---


def test_who_is_recorded_first_keeps_the_card_and_the_other_is_told_of_once(seen: Seen) -> None:
    seen.report()
    hold(seen.database, card(1).name)
    seen.report((1, FIRST))
    seen.report((1, FIRST), (2, SECOND))

    assert seen.holders() == [("GPU-1", "instance", "vm"), ("GPU-2", "pod", SECOND)]
    [doubled] = [event for event in events(seen.database) if event.kind == "holder.doubled"]
    assert (doubled.before["name"], doubled.after["names"]) == ("vm", [FIRST])


def test_the_pod_of_a_double_owner_gets_the_card_when_the_first_lets_go(seen: Seen) -> None:
    seen.report()
    holder = hold(seen.database, card(1).name)
    seen.report((1, FIRST))
    release(seen.database, holder)
    seen.settle()

    assert seen.holders() == [("GPU-1", "pod", FIRST)]


# --- what others have ---


def test_a_node_is_told_what_others_hold_and_operators_have_disabled_but_nobodys_name(seen: Seen) -> None:
    seen.report((2, FIRST))
    hold(seen.database, card(1).name)
    assert seen.withdrawn() == {seen.handle(1): "it is held outside this cluster (instance)"}

    seen.database.write(lambda connection: connection.execute(update(Device).values(status="maintaining")))
    assert seen.withdrawn()[seen.handle(2)] == "an operator has disabled the device"


class _Listener:
    def __init__(self) -> None:
        self.heard = 0

    def holders_changed(self) -> None:
        self.heard += 1


def test_only_nodes_with_a_kubelet_hear_that_holders_have_changed(seen: Seen) -> None:
    listener = _Listener()
    kubelets = Kubelets(seen.database, seen.clock, LocalAgents(lambda _: None, {NODE: listener}.get))
    kubelets.follow()
    seen.send()
    holder = hold(seen.database, card(1).name)
    kubelets.follow()
    assert listener.heard == 0

    seen.report((1, FIRST))
    release(seen.database, holder)
    kubelets.follow()
    assert listener.heard == 1
    assert seen.holders() == [("GPU-1", "pod", FIRST)]


# --- on the node ---


class _Away(LocalConductor):
    def __init__(self) -> None:
        pass

    def withdrawals(self, node: str) -> tuple[Withdrawal, ...]:
        raise ConductorUnavailable(f"nobody for {node}")


@pytest.fixture
def bell() -> Iterator[Bell]:
    made = Bell()
    yield made
    made.close()


def board(seen: Seen) -> Board:
    made = Board(Host(name=NODE))
    made.show(report(answer(*seen.devices)))
    return made


def test_the_node_shows_what_others_hold_and_remembers_it_while_no_conductor_is_there(
    seen: Seen, bell: Bell, tmp_path: Path
) -> None:
    seen.report()
    hold(seen.database, card(1).name)
    memory = tmp_path / "withdrawn.json"
    first = board(seen)
    ownership = Ownership(first, LocalConductor(seen.manager), bell, node=NODE, memory=memory)
    ownership.open()
    ownership.ask()
    assert first.offer.state(seen.handle(1)).withdrawn == "it is held outside this cluster (instance)"

    again = board(seen)
    restarted = Ownership(again, _Away(), bell, node=NODE, memory=memory)
    restarted.open()
    restarted.ask()
    assert again.offer.states == first.offer.states


def test_a_memory_that_cannot_be_read_is_no_reason_not_to_start(seen: Seen, bell: Bell, tmp_path: Path) -> None:
    memory = tmp_path / "withdrawn.json"
    memory.write_text("{")
    shown = board(seen)
    Ownership(shown, _Away(), bell, node=NODE, memory=memory).open()

    assert not shown.offer.state(seen.handle(1)).withdrawn


def test_what_the_kubelet_says_is_told_when_it_is_new(seen: Seen, bell: Bell, tmp_path: Path) -> None:
    shown = board(seen)
    ownership = Ownership(shown, _Away(), bell, node=NODE, memory=tmp_path / "withdrawn.json")
    ownership.open()
    assert ownership.uses() is None

    said = {seen.handle(1): (Container(kind="pod", name=FIRST),)}
    shown.hold(KUBELET, said)
    assert bell.wait(0) == {Call.TELL}
    assert ownership.uses() == (Use(handle=seen.handle(1), name=FIRST),)

    shown.hold(KUBELET, said)
    assert bell.wait(0) == frozenset()
