"""Long histories of requests: whatever is asked for, reported, lost or dies, what must hold holds.

hypothesis makes the histories up. The conductor does its work on the node when the history says so; until then it may
be killed, and another one start in its place.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select
from support import holding
from support.claims import terms
from support.databases import migrated
from support.races import outcome
from support.replay import State, events_after, replayed, stored
from support.site import Site
from support.snapshots import KeptSnapshot, free_in, free_in_database, whole
from support.steps import FileStep, Later

from accel.conductor.claims import Claims, Task
from accel.conductor.manager import Limits, Manager
from accel.db import counts, quotas
from accel.db.scope import EVERYTHING
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Event, Holder, Notification
from accel.errors import AccelError, Conflict, InvalidValue, NotFound
from accel.model.device import AttachHandle as ReportedHandle
from accel.model.device import Device as ReportedDevice
from accel.model.device import HandleType, Health
from accel.model.event import EventKind
from accel.model.node import DeviceStatus
from accel.model.request import HOLDING, TRANSITIONS, WORKING, RequestState

QUOTA = 4
PLAIN, NEEDS_WORK = 1, 2
"""Slots: what is in the second one is made ready before a workload has it."""
WORK_LIMIT_SECONDS = 60
REFUSALS = (Conflict, InvalidValue, NotFound)


@dataclass
class Unsteady(FileStep):
    """Writes and removes files, unless the node refuses or is away."""

    refuses: bool = False
    is_away: bool = False

    def do(self, task: Task) -> None:
        """Write the file; fail then, if the node refuses."""
        self._check()
        super().do(task)
        if self.refuses:
            raise AccelError("the node refuses")

    def undo(self, task: Task) -> None:
        """Remove the file."""
        self._check()
        super().undo(task)

    def _check(self) -> None:
        if self.is_away:
            raise AccelError("the node is away")


class Histories(RuleBasedStateMachine):
    """One node with two cards, a project under a quota and one without, a pod, and conductors that die."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = ExitStack()
        self.home = Path(self.ends.enter_context(TemporaryDirectory()))
        self.database = self.ends.enter_context(migrated("sqlite", self.home))
        self.files = self.home / "files"
        self.files.mkdir()
        self.site = Site(self.database, name="a")
        self.step = Unsteady(self.files, "file", self.site.clock)
        self.later = Later()
        self.requests: list[str] = []
        self.slots: dict[int, str] = {PLAIN: "first", NEEDS_WORK: "first"}
        self.health = Health.HEALTHY
        self.pod = ""
        self.told: State = {}
        self.last_event = 0
        self.handles: dict[str, str] = {}
        self.snapshot = KeptSnapshot(self.database, self.site.clock)

    @initialize()
    def begin(self) -> None:
        """There are cards, a quota and a conductor."""
        self.conductor = self._new_conductor()
        self.site.limit(QUOTA)
        self._report()

    def _new_conductor(self, name: str = "conductor-1") -> Claims:
        agreed = replace(
            terms(tells_nova=True, worker=name),
            steps_for=lambda handle_type, _group, _place: ("file",) if handle_type == HandleType.MDEV else (),
        )
        return Claims(self.database, self.site.clock, agreed, steps={"file": self.step}, submit=self.later)

    # --- what happens on the node ---

    def _report(self) -> None:
        self.site.report(*(self._card(slot, which) for slot, which in self.slots.items()))

    def _card(self, slot: int, which: str) -> ReportedDevice:
        device = self.site.gpu(slot, handles=3, identity=f"GPU-{slot}-{which}", health=self.health)
        if slot == PLAIN:
            return device
        [part] = device.deployables
        handles = tuple(ReportedHandle(type=HandleType.MDEV, info=handle.info) for handle in part.handles)
        return replace(device, deployables=(replace(part, handles=handles),))

    @rule(slot=st.sampled_from([PLAIN, NEEDS_WORK]), which=st.sampled_from(["first", "second"]))
    def plug(self, slot: int, which: str) -> None:
        """A card is in a slot: the same as before, or another one in its place."""
        self.slots[slot] = which
        self._report()

    @rule(slot=st.sampled_from([PLAIN, NEEDS_WORK]))
    def lose(self, slot: int) -> None:
        """A card is not seen any more."""
        self.slots.pop(slot, None)
        self._report()

    @rule(health=st.sampled_from([Health.HEALTHY, Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN]))
    def ail(self, health: Health) -> None:
        """The cards are well, or not."""
        self.health = health
        self._report()

    @rule(refuses=st.booleans(), is_away=st.booleans())
    def change_node(self, *, refuses: bool, is_away: bool) -> None:
        """The node does its work, refuses it, or is away."""
        self.step.refuses, self.step.is_away = refuses, is_away

    # --- what people want ---

    @rule(amount=st.integers(1, 3), is_own=st.booleans())
    def create(self, amount: int, *, is_own: bool) -> None:
        """Requests are made."""
        if len(self.requests) < 10:
            self.requests += self.site.make(amount, project="" if is_own else "free")

    @rule(
        picks=st.sets(st.integers(0, 9), min_size=1, max_size=3),
        slot=st.sampled_from([PLAIN, NEEDS_WORK]),
        instance=st.sampled_from("xyz"),
    )
    def bind(self, picks: set[int], slot: int, instance: str) -> None:
        """Requests are bound, all or none."""
        chosen = self._chosen(picks)
        before = self._states()
        wanted = replace(self.site.binds(chosen, slot, instance=instance), caller=self._admin())
        told = outcome(lambda: self.conductor.change_requests(wanted), *REFUSALS)
        if told is None:
            assert {self._states()[uuid] for uuid in chosen} <= {"BindStarted", "Bound"}
        else:
            assert self._states() == before
        if "free of" in str(told) and "stand for" not in str(told):
            assert self._free(slot) < len(chosen)

    @rule(picks=st.sets(st.integers(0, 9), min_size=1, max_size=3))
    def unbind(self, picks: set[int]) -> None:
        """Requests are unbound, all or none."""
        chosen, before = self._chosen(picks), self._states()
        wanted = replace(self.site.unbinds(chosen), caller=self._admin())
        if outcome(lambda: self.conductor.change_requests(wanted), *REFUSALS) is not None:
            assert self._states() == before

    @rule(picks=st.sets(st.integers(0, 9), min_size=1, max_size=3), is_poked=st.booleans())
    def delete(self, picks: set[int], *, is_poked: bool) -> None:
        """Requests are deleted, and a conductor hears of it, or does not."""
        chosen = self._chosen(picks)
        left = self.site.delete(*chosen, scope=EVERYTHING)
        assert {uuid for uuid in self._states() if uuid in chosen} >= set(left)
        if is_poked:
            self.conductor.take_up_work()

    @rule()
    def change_pod(self) -> None:
        """A pod takes a handle, if there is one for it, or gives it back."""
        if self.pod:
            self.database.write(lambda connection: holding.release(connection, self.pod, now=self.site.clock()))
            self.pod = ""
        elif PLAIN in self.slots:
            taken = outcome(lambda: self.site.hold(PLAIN), Conflict)
            self.pod = taken if isinstance(taken, str) else ""

    @rule(status=st.sampled_from([DeviceStatus.ENABLED, DeviceStatus.MAINTAINING]))
    def change_status(self, status: DeviceStatus) -> None:
        """An operator disables or enables all cards."""
        with self.database.reader() as connection:
            uuids = connection.scalars(select(Device.uuid)).all()
        for uuid in uuids:
            self.site.set_status(status, device=uuid)

    # --- what conductors do ---

    @rule()
    def work(self) -> None:
        """The conductor does what it has begun."""
        self.later.run()

    @rule()
    def restart(self) -> None:
        """The conductor is killed and starts again: what it had begun is lost to it."""
        self.later.waiting.clear()
        self.conductor = self._new_conductor()
        self.conductor.take_up_work(is_fresh=True)

    @rule(name=st.sampled_from(["conductor-1", "conductor-2"]), seconds=st.sampled_from([1, WORK_LIMIT_SECONDS]))
    def take_up(self, name: str, seconds: int) -> None:
        """Time passes, and a conductor looks for work."""
        self.site.clock.pass_(seconds=seconds)
        self._new_conductor(name).take_up_work()

    @rule()
    def expire(self) -> None:
        """What is lost for long and held by nobody is removed."""
        self.site.clock.pass_(hours=2)
        Manager(self.database, self.site.clock, Limits()).remove_expired_devices()

    # --- what always holds ---

    @invariant()
    def holders_are_those_of_the_requests_that_hold(self) -> None:
        """One for each such request, by constraint and by count, and one for the pod."""
        with self.database.reader() as connection:
            things = select(AttachHandle.type, AttachHandle.info_key, Holder.request_id, Holder.attach_handle_id)
            found = connection.execute(things.join(Holder).join(Deployable).join(Device)).all()
            holding = select(AcceleratorRequest.id).where(AcceleratorRequest.state.in_(sorted(HOLDING)))
            wanted = Counter(connection.scalars(holding))
        assert Counter(row.request_id for row in found if row.request_id is not None) == wanted
        assert len(found) == wanted.total() + bool(self.pod)
        assert len({row.attach_handle_id for row in found}) == len(found)
        assert len({row[:2] for row in found}) == len(found)

    @invariant()
    def a_request_keeps_its_handle(self) -> None:
        """Until it rests without, also while its card is lost."""
        now = {row.uuid: row.handle for row in self._held()}
        kept = {uuid: handle for uuid, handle in self.handles.items() if uuid in now}
        rebound = {event.subject for event in self._new_events() if event.kind.endswith(("unbound", "bind_failed"))}
        assert all(now[uuid] == handle for uuid, handle in kept.items() if uuid not in rebound)
        self.handles = now

    @invariant()
    def no_quota_is_exceeded_and_usage_is_what_is_held(self) -> None:
        """Counted in another way than the quota does."""
        key = (self.site.project, "PGPU")
        used = self.database.read(lambda connection: quotas.usage(connection, {key: None})).get(key, 0)
        assert used == sum(row.project_id == self.site.project for row in self._held())
        assert used <= QUOTA

    @invariant()
    def work_has_a_deadline_and_rest_has_none(self) -> None:
        """So nothing is in a state of work for ever."""
        for row in self._rows():
            assert (row.deadline_at is not None) == (row.state in WORKING)
            assert bool(row.steps) <= (row.state in HOLDING)

    @invariant()
    def files_are_those_of_handles_that_are_held(self) -> None:
        """What is bound is ready; what is free is tidied up."""
        ready = {path.stem: path.read_text() for path in self.files.iterdir()}
        held = {row.handle: row.uuid for row in self._held() if row.steps}
        assert ready.items() <= held.items()
        assert {row.handle for row in self._held() if row.steps and row.state == RequestState.BOUND} <= ready.keys()

    @invariant()
    def the_events_tell_how_each_request_came_to_where_it_is(self) -> None:
        """Each step of it is one that the list of transitions allows; each result was told to Nova once."""
        allowed = {(one, to.after) for to in TRANSITIONS.values() for one in to.before} | {(None, RequestState.INITIAL)}
        told: dict[str, Any] = {}
        results: Counter[str] = Counter()
        for event in self._request_events():
            before = event.before["state"] if event.before else None
            after = event.after["state"] if event.after else None
            assert told.get(event.subject) == before
            assert (before, after) in allowed
            told[event.subject] = after
            results[event.subject] += after in (RequestState.BOUND, RequestState.BIND_FAILED)
        assert {uuid: state for uuid, state in told.items() if state is not None} == self._states()
        with self.database.reader() as connection:
            assert Counter(connection.scalars(select(Notification.request_uuid))) == +results

    @invariant()
    def placement_knows_the_fleet_by_history_alone(self) -> None:
        """And what it takes for free is free."""
        self.snapshot.refresh()
        assert self.snapshot.hosts == whole(self.database)
        assert free_in(self.snapshot.hosts.values()) == free_in_database(self.database)

    @invariant()
    def the_events_tell_what_is_on_the_node(self) -> None:
        """As in the histories of inventories."""
        new = self._new_events()
        of_reports = [event for event in new if event.kind not in (EventKind.DEVICE_ENABLED, EventKind.DEVICE_DISABLED)]
        self.told = replayed(self.told, of_reports)
        self.last_event = new[-1].id if new else self.last_event
        for key, values in self.told.items():
            if key[0] == "node":
                values.setdefault("state", "online")
        assert self.told == stored(self.database)

    def teardown(self) -> None:
        """In the end everything can be given back."""
        self.step.refuses = self.step.is_away = False
        for _ in range(2):
            self.later.run()
            self.site.clock.pass_(seconds=WORK_LIMIT_SECONDS)
            self._new_conductor("conductor-3").take_up_work()
        self.later.run()
        assert not WORKING & set(self._states().values())
        self.site.delete(*self._states(), scope=EVERYTHING)
        self._new_conductor("conductor-3").take_up_work()
        self.later.run()
        assert (self._states(), self._held(), list(self.files.iterdir())) == ({}, [], [])
        self.ends.close()

    # --- looking ---

    def _admin(self) -> Any:
        return replace(self.site.wanted().caller, sees_all=True)

    def _chosen(self, picks: Iterable[int]) -> list[str]:
        """Some of the requests that were made, also of those that are no more."""
        return sorted({self.requests[pick % len(self.requests)] for pick in picks}) if self.requests else []

    def _states(self) -> dict[str, str]:
        return {row.uuid: row.state for row in self._rows()}

    def _rows(self) -> list[Any]:
        with self.database.reader() as connection:
            return list(connection.execute(select(*AcceleratorRequest.__table__.columns)))

    def _held(self) -> list[Any]:
        columns = (AcceleratorRequest.uuid, AcceleratorRequest.state, AcceleratorRequest.steps)
        query = select(*columns, AcceleratorRequest.project_id, AttachHandle.uuid.label("handle"))
        with self.database.reader() as connection:
            return list(
                connection.execute(query.join(Holder, Holder.request_id == AcceleratorRequest.id).join(AttachHandle))
            )

    def _new_events(self) -> list[Any]:
        return events_after(self.database, self.last_event)

    def _request_events(self) -> list[Any]:
        query = select(*Event.__table__.columns).where(Event.kind.startswith("request.")).order_by(Event.id)
        with self.database.reader() as connection:
            return list(connection.execute(query))

    def _free(self, slot: int) -> int:
        query = counts.joined_to_handles(select(AttachHandle.id)).where(
            counts.IS_FREE, Deployable.name == f"{self.site.name}_{slot}"
        )
        with self.database.reader() as connection:
            return len(connection.execute(query).all())


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=15,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
