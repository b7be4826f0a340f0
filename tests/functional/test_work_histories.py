"""Long histories of a node on which things are done: whatever is cut, loaded, bound, given back or dies, what must hold
holds.

hypothesis makes the histories up, over simulated cards, with a real agent's desk and a real conductor, either of which
may die at any point. TEST_WORK_HISTORIES is how many, by default few.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import NAMESPACE_DNS, uuid3, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, select
from support.databases import migrated
from support.worked_node import IMAGE, WorkedNode

from accel.agent.jobs.acts import Acts, InlineActs, Process
from accel.agent.jobs.perform import Ending, failed
from accel.agent.probe import look
from accel.conductor.claims import POINTS, Claims, Hooks
from accel.conductor.jobs import JOB_POINTS, JobHooks
from accel.db import jobs, profiles, requests
from accel.db.fences import FENCE
from accel.db.scope import EVERYTHING, Scope
from accel.db.tables import AcceleratorRequest, AttachHandle, Deployable, Device, Holder
from accel.drivers.acts import Progress
from accel.drivers.fleet.traces import Traces, traces_of
from accel.errors import AccelError, ActFailed, ActRefused, Conflict
from accel.model.device import DeviceType, Presence
from accel.model.job import JobKind, JobOrder, JobState, NewJob
from accel.model.profile import DeviceProfile
from accel.model.request import WORKING, RequestState
from accel.model.steps import BITSTREAM_KEY, WorkPolicy

pytestmark = [
    pytest.mark.timeout(0),  # as long as it was asked to take
    # The thread of an agent that dies ends by SystemExit, as a process does.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
HISTORIES = int(os.environ.get("TEST_WORK_HISTORIES", "5"))
STEPS = 10
POLICY = WorkPolicy(prepare=frozenset({"PCI", "MIG"}), scrub={"GPU": "zero", "FPGA": "blank"})
FLEET = "nodes: [{name: node-a, cards: [{model: A100-SXM4-40GB}, {model: Alveo-U280}]}]"
LAYOUTS: tuple[dict[str, str], ...] = ({}, {"3g.20gb": "2"}, {"1g.5gb": "2"}, {"2g.10gb": "1", "3g.20gb": "1"})
GOOD, REFUSED, BROKEN, DIES_BEFORE, DIES_AFTER = "good", "refused", "broken", "dies before", "dies after"
CALLED_OFF = "called off"
MAY_BE_CALLED_OFF = frozenset({JobKind.PARTITION, JobKind.PREPARE, JobKind.PROGRAM})
"""What tidies up is not."""
PROFILES: dict[str, dict[str, str]] = {
    "plain": {},
    "loading": {BITSTREAM_KEY: "8d1e5f3c-0000-4000-8000-000000000001"},
}
LOADED = sha256(IMAGE.name.encode()).hexdigest()


class Died(BaseException):
    """The conductor is gone: nothing of ours catches it."""


class Faulty(InlineActs):
    """Does acts, or not, as the history says for the next one."""

    def __init__(self, node: "SimulatedNode") -> None:
        super().__init__(lambda _: node.setup)
        self._node = node

    def do(
        self,
        order: JobOrder,
        image: Path | None,
        progress: Progress,
        *,
        begun: Callable[[Process], None],
        is_unwanted: Callable[[], bool],
    ) -> Ending:
        """Do it; where the agent dies, its thread ends here and nothing more is written."""
        how, self._node.next_act = self._node.next_act, GOOD
        if how == REFUSED:
            return failed(ActRefused("not now"))
        if how == DIES_BEFORE:
            self._node.is_dead = True
            raise SystemExit
        if how == CALLED_OFF and order.kind in MAY_BE_CALLED_OFF:
            self._node.desk.cancel_job(order.uuid)
        ending = super().do(order, image, progress, begun=begun, is_unwanted=is_unwanted)
        if how == BROKEN:
            return failed(ActFailed("it broke on the way"))
        if how == DIES_AFTER:
            self._node.is_dead = True
            raise SystemExit
        return ending


class SimulatedNode(WorkedNode):
    """A worked node with a simulated GPU that can be cut and a simulated FPGA."""

    next_act = GOOD
    is_dead = False
    """Whether the agent has died; it is started again when it is asked for."""

    def begin(self) -> None:
        """Its cards are in a fleet file."""
        (self.host.root / "fleet.yaml").write_text(FLEET)
        super().begin()

    def acts(self) -> Acts:
        """Acts that may fail."""
        return Faulty(self)

    def _asked(self, node: str) -> Any:
        if self.is_dead:
            self.is_dead = False
            self.desk = self.new_desk()
        return super()._asked(node)

    def traces(self) -> dict[str, Traces]:
        """What acts have left on the parts of its cards."""
        return traces_of(self.host.memory, self.host.name).read()


class WorkHistories(RuleBasedStateMachine):
    """A node, a conductor that may die at any of its points, and a project that binds and gives back."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = ExitStack()
        home = Path(self.ends.enter_context(TemporaryDirectory()))
        database = self.ends.enter_context(migrated("sqlite", home))
        options = {"fleet_file": "/fleet.yaml"}
        self.node = SimulatedNode(
            database, home, POLICY, driver="simulated", options=options, name="a", wait_seconds=0.02
        )
        self.requests: list[str] = []
        self.point = ""
        self.used: set[str] = set()
        """The handles that somebody has had and that have not been clean since."""

    @initialize()
    def begin(self) -> None:
        """There are two profiles: one loads an image."""
        for name, group in PROFILES.items():
            groups = ({"resources:PGPU": "1", **group},)
            profile = DeviceProfile(uuid=str(uuid4()), name=name, description=None, groups=groups)
            self._write(partial(profiles.create, profile=profile, origin=self.node.site.origin))

    # --- what may happen ---

    @rule(which=st.integers(0, 9), profile=st.sampled_from(sorted(PROFILES)))
    def bind(self, which: int, profile: str) -> None:
        """The project wants one of the parts that there are, perhaps with an image in it."""
        names = self._parts()
        site = self.node.site
        scope = Scope(project_id=site.project)
        [made] = self._write(
            partial(requests.create, profile_name=profile, project_id=site.project, scope=scope, origin=site.origin)
        )
        self.requests.append(made.uuid)
        provider = str(uuid3(NAMESPACE_DNS, names[which % len(names)]))
        wanted = site.binds([made.uuid], device_rp_uuid=provider, instance=f"vm-{made.uuid[:8]}")
        self._try(lambda conductor: conductor.change_requests(wanted))

    @rule(which=st.integers(0, 9), deletes=st.booleans())
    def give_back(self, which: int, deletes: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """The project is done with something, or calls it off."""
        if not self.requests:
            return
        uuid = self.requests[which % len(self.requests)]
        if deletes:
            self.requests.remove(uuid)
            self.node.site.delete(uuid)
            self._try(lambda conductor: conductor.take_up_work())
        else:
            self._try(lambda conductor: conductor.change_requests(self.node.site.unbinds([uuid])))

    @rule(layout=st.sampled_from(LAYOUTS))
    def cut(self, layout: dict[str, str]) -> None:
        """An operator cuts the GPU, if nobody has anything of it."""
        new = NewJob(kind=JobKind.PARTITION, device_uuid=self._gpu(), arguments=layout)
        try:
            self._write(partial(jobs.order_job, new=new, origin=self.node.site.origin))
        except Conflict:
            return
        self._try(lambda conductor: conductor.take_up_work())

    @rule(is_mended=st.booleans())
    def operator_looks(self, is_mended: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """An operator has done again what has left something in doubt."""
        fencing = {holder.name for holder in self._holders() if holder.kind == FENCE}
        for uuid in sorted(fencing):
            if is_mended:
                self._write(partial(jobs.retry, uuid=uuid, scope=EVERYTHING, origin=self.node.site.origin))
        self._settle()

    @rule(how=st.sampled_from([REFUSED, BROKEN, CALLED_OFF, DIES_BEFORE, DIES_AFTER]))
    def next_act_goes_wrong(self, how: str) -> None:
        """The next act on the node does not go well."""
        self.node.next_act = how

    @rule(point=st.sampled_from([*POINTS, *JOB_POINTS]))
    def conductor_dies(self, point: str) -> None:
        """The conductor dies when it comes to a point."""
        self.point = point

    # --- how it goes on ---

    def _try(self, act: Callable[[Claims], None]) -> None:
        """Let a conductor do something; if it dies, another one of its name goes on; then all comes to rest."""
        conductor = self.node.conductor(hooks=Hooks(at=self._at), job_hooks=JobHooks(at=self._at))
        jobs_of = self.node.jobs(hooks=JobHooks(at=self._at))
        with suppress(Died, AccelError):
            act(conductor)
            jobs_of.take_up_work()
        self._settle()

    def _at(self, point: str) -> None:
        if point == self.point:
            self.point = ""
            raise Died

    def _settle(self) -> None:
        """Conductors start, and go on until there is nothing to do."""
        for _ in range(3):
            self.node.jobs().take_up_work(is_fresh=True)
            self.node.conductor().take_up_work(is_fresh=True)
            self.node.site.clock.pass_(seconds=200)

    def _write(self, transaction: Callable[[Connection], Any]) -> Any:
        return self.node.database.write(transaction)

    # --- what there is ---

    def _parts(self) -> list[str]:
        """The parts that the driver sees."""
        return [part.name for device in look(self.node.setup).report.devices for part in device.deployables]

    def _gpu(self) -> str:
        with self.node.database.reader() as connection:
            return connection.scalars(select(Device.uuid).where(Device.type == DeviceType.GPU)).one()

    def _holders(self) -> Sequence[Any]:
        query = select(Holder.kind, Holder.name, AcceleratorRequest.uuid.label("request"), AttachHandle.presence)
        joined = query.join(AttachHandle, AttachHandle.id == Holder.attach_handle_id)
        with self.node.database.reader() as connection:
            return connection.execute(
                joined.outerjoin(AcceleratorRequest, AcceleratorRequest.id == Holder.request_id)
            ).all()

    def _handles(self) -> Sequence[Any]:
        """The handles that are there, each with its part and who has it."""
        query = (
            select(AttachHandle.uuid, AttachHandle.info_key, Deployable.name.label("part"), Holder.id.label("holder"))
            .join(Deployable, Deployable.id == AttachHandle.deployable_id)
            .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
            .where(AttachHandle.presence == Presence.PRESENT)
        )
        with self.node.database.reader() as connection:
            return connection.execute(query).all()

    # --- what must hold ---

    @invariant()
    def nothing_is_under_way_once_all_has_come_to_rest(self) -> None:
        """However often somebody has died."""
        assert all(row.is_ended for row in self.node.all_jobs())
        assert not {self.node.site.request(uuid).state for uuid in self.requests} & WORKING

    @invariant()
    def what_is_bound_holds_one_handle_that_is_there(self) -> None:
        """Nothing is cut away from under anybody, and nobody else holds anything by a request."""
        states = {uuid: self.node.site.request(uuid).state for uuid in self.requests}
        bound = sorted(uuid for uuid, state in states.items() if state == RequestState.BOUND)
        holding = [holder for holder in self._holders() if holder.kind != FENCE]
        assert sorted(holder.request for holder in holding) == bound
        assert {holder.presence for holder in holding} <= {Presence.PRESENT}

    @invariant()
    def what_is_bound_is_ready_and_what_is_free_is_clean(self) -> None:
        """Who has it is noted on the card, its image is loaded; nothing of anybody is left on what is offered."""
        traces = self.node.traces()
        bound = {
            row.handle_uuid: row
            for row in map(self.node.site.request, self.requests)
            if row.state == RequestState.BOUND
        }
        for handle in self._handles():
            its = traces.get(handle.part, Traces())
            if handle.uuid in bound:
                assert handle.uuid in its.users
                assert BITSTREAM_KEY not in bound[handle.uuid].group or its.loaded == LOADED
                self.used.add(handle.uuid)
            elif handle.holder is None:
                assert (handle.uuid in its.users, its.loaded) == (False, "")
                assert handle.uuid not in self.used & set(its.left)
                self.used.discard(handle.uuid)

    @invariant()
    def the_record_has_the_parts_that_are_there(self) -> None:
        """The drivers have looked again after each act."""
        seen = look(self.node.setup).report.devices
        keys = {handle.key for device in seen for part in device.deployables for handle in part.handles}
        assert {handle.info_key for handle in self._handles()} == keys

    @invariant()
    def each_fence_says_what_has_failed(self) -> None:
        """And an operator can do it again."""
        ended = {row.uuid: row.state for row in self.node.all_jobs()}
        assert {ended[holder.name] for holder in self._holders() if holder.kind == FENCE} <= {
            JobState.FAILED,
            JobState.CANCELLED,
        }

    def teardown(self) -> None:
        """Nothing of the history is left."""
        self.node.desk.stop()
        self.ends.close()


TestWorkHistories = WorkHistories.TestCase
TestWorkHistories.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
def history() -> Iterator[WorkHistories]:
    """One in which what somebody has had could not be given back."""
    made = WorkHistories()
    made.begin()
    made.bind(which=0, profile="plain")
    made.what_is_bound_is_ready_and_what_is_free_is_clean()
    made.next_act_goes_wrong(how=REFUSED)
    made.give_back(which=0, deletes=False)
    yield made
    made.teardown()


def test_what_is_given_back_later_is_scrubbed_after_that(history: WorkHistories) -> None:
    history.operator_looks(is_mended=True)

    assert [row.kind for row in history.node.all_jobs()] == ["prepare", "release", "scrub", "release", "scrub"]
    history.what_is_bound_is_ready_and_what_is_free_is_clean()
    assert not history._holders()


def test_what_is_not_given_back_is_mended_by_nothing_else(history: WorkHistories) -> None:
    history.cut(layout={})

    history.what_is_bound_is_ready_and_what_is_free_is_clean()
    assert [holder.kind for holder in history._holders()] == [FENCE]
