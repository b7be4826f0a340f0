"""A node whose agent does jobs on cards of files, its conductor, and a project that wants the cards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid3

from sqlalchemy import select
from support.reports import answer, report
from support.site import Site

from accel.agent.jobs.acts import Acts, InlineActs
from accel.agent.jobs.desk import Desk, Surroundings
from accel.agent.jobs.store import Store
from accel.agent.probe import Setup, look
from accel.conductor.claims import Claims, Hooks, Task
from accel.conductor.jobs import JobHooks, Jobs, JobTerms
from accel.conductor.manager import Limits, Manager
from accel.conductor.steps import StepTerms, make_steps
from accel.db import deployables, jobs
from accel.db.engine import Connection, Database
from accel.db.image_choice import Choice
from accel.db.image_orders import Part
from accel.db.jobs import JobRow
from accel.db.paging import ListQuery
from accel.db.scope import EVERYTHING
from accel.db.tables import AttachHandle, Deployable, Holder
from accel.db.transitions import Terms
from accel.drivers.base import Host
from accel.model.job import ImageOrder
from accel.model.steps import WorkPolicy
from accel.rpc.agents import LocalAgents

DRIVER = "test-able"
BUSES = ("3b", "5e")
IMAGE = ImageOrder(digest="sha256:" + "0" * 64, size=5, name="nic")


@dataclass
class OneImage:
    """The images of the node: there is one."""

    path: Path

    def fetch(self, image: ImageOrder) -> Path:
        """The file with it."""
        self.path.write_text(image.name)
        return self.path

    def done_with(self, image: ImageOrder) -> None:
        """It stays where it is."""


@dataclass
class WorkedNode:
    """Built over a database; ``conductor()`` works with a real desk that the conductor reaches in its process."""

    database: Database
    directory: Path
    policy: WorkPolicy = field(default_factory=WorkPolicy)
    driver: str = DRIVER
    name: str = ""
    """Of the site; empty: one that no other has."""
    wait_seconds: float = 1.0
    """How long the conductor has the agent wait for the end of a job."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Of the driver."""
    is_away: bool = False
    """Whether the agent does not answer; to ask it takes a minute each time."""

    def __post_init__(self) -> None:
        self.site = Site(self.database, **({"name": self.name} if self.name else {}))
        self.host = Host(name=self.site.node, root=self.directory / "host")
        self.host.root.mkdir(exist_ok=True)
        (self.host.root / "card").touch()
        self.begin()

    def begin(self) -> None:
        """There is an agent, and it has reported."""
        self.desk = self.new_desk()
        self.report()

    # --- the node ---

    def new_desk(self) -> Desk:
        """The desk of an agent that begins with what is on disk."""
        around = Surroundings(
            rediscover=self.report,
            images=OneImage(self.directory / "image"),
            clock=self.site.clock,
            takes=lambda node: node == self.site.node,
        )
        desk = Desk(Store(self.directory / "jobs"), self.acts(), around)
        desk.open()
        return desk

    def acts(self) -> Acts:
        """What does acts for the desk."""
        return InlineActs(lambda _: self.setup)

    @property
    def setup(self) -> Setup:
        """The driver on its host."""
        return Setup(driver=self.driver, host=self.host, options=self.options)

    def report(self) -> None:
        """Have the agent say what its driver sees."""
        self.site.sequence += 1
        found = look(self.setup).report
        message = report(answer(*found.devices, driver=self.driver), sequence=self.site.sequence, name=self.site.node)
        Manager(self.database, self.site.clock, Limits()).report(message)

    def file(self, what: str, card: int = 0) -> Path:
        """What there is of a card."""
        return self.host.root / f"{what}-0000:{BUSES[card]}:00.0"

    def says(self, what: str, card: int = 0) -> str:
        """What is written there; empty where there is nothing."""
        return self.file(what, card).read_text() if self.file(what, card).exists() else ""

    def fail(self, act: str, how: str = "it broke") -> None:
        """Let an act go wrong from now on: ``refuse``, or in any other way; empty: let it go well."""
        path = self.host.root / f"fail-{act}"
        if how:
            path.write_text(how)
        else:
            path.unlink(missing_ok=True)

    # --- the conductor ---

    def jobs(self, *, name: str = "conductor-1", hooks: JobHooks | None = None) -> Jobs:
        """The work on jobs of a conductor."""
        agents = LocalAgents(self._asked)
        terms = JobTerms(worker=name, wait_seconds=self.wait_seconds)
        return Jobs(self.database, self.site.clock, terms, agents=agents, submit=lambda work: work(), hooks=hooks)

    def _asked(self, _node: str) -> Desk | None:
        if self.is_away:
            self.site.clock.pass_(seconds=61)
            return None
        return self.desk

    def conductor(
        self,
        *,
        name: str = "conductor-1",
        submit: Callable[[Callable[[], None]], object] | None = None,
        hooks: Hooks | None = None,
        job_hooks: JobHooks | None = None,
    ) -> Claims:
        """A conductor with the real steps."""
        work = self.jobs(name=name, hooks=job_hooks)
        terms = StepTerms(policy=self.policy, limit_seconds=600, choose_image=_the_image)
        return Claims(
            self.database,
            self.site.clock,
            self.terms(name),
            steps=make_steps(self.database, work, self.site.clock, terms),
            submit=submit or (lambda work: work()),
            hooks=hooks,
        )

    def terms(self, worker: str | None = None) -> Terms:
        """How requests are claimed under the node's policy."""
        return Terms(
            worker=worker,
            work_limit=timedelta(seconds=60),
            tells_nova=False,
            steps_for=lambda handle_type, group, place: self.policy.steps(
                handle_type, place.device_type, place.kind, group
            ),
        )

    # --- what a project does ---

    def make(self, **group: str) -> str:
        """Make a request."""
        named = {key.replace("__", ":"): value for key, value in group.items()}
        [uuid] = self.site.make(group=named)
        return uuid

    def binds(self, uuid: str, card: int = 0) -> Any:
        """That it is to be bound to a card."""
        provider = str(uuid3(NAMESPACE_DNS, f"{self.site.node}_0000:{BUSES[card]}:00.0"))
        return self.site.binds([uuid], device_rp_uuid=provider, instance=f"vm-{uuid[:8]}")

    def bound(self, conductor: Claims | None = None, card: int = 0, **group: str) -> str:
        """A request that is bound."""
        uuid = self.make(**group)
        (conductor or self.conductor()).change_requests(self.binds(uuid, card))
        assert self.site.states(uuid) == ["Bound"], self.site.request(uuid).reason
        return uuid

    # --- what there is ---

    def all_jobs(self, request: str | None = None) -> list[JobRow]:
        """The jobs of the node, in their order."""

        def read(connection: Connection) -> list[JobRow]:
            query = ListQuery(filters=[("node", self.site.node)])
            return jobs.find(connection, query, scope=EVERYTHING).rows

        return [row for row in self.database.read(read) if request in (None, row.request_uuid)]

    def told(self) -> list[tuple[str, str]]:
        """Kind and state of each job."""
        return [(row.kind, row.state) for row in self.all_jobs()]

    def holders(self) -> list[tuple[str, str]]:
        """Kind and name of whoever holds something of the node."""
        query = (
            select(Holder.kind, Holder.name)
            .join(AttachHandle, AttachHandle.id == Holder.attach_handle_id)
            .join(Deployable, Deployable.id == AttachHandle.deployable_id)
            .where(Deployable.name.startswith(f"{self.site.node}_"))
            .order_by(Holder.id)
        )
        with self.database.reader() as connection:
            return [(row.kind, row.name) for row in connection.execute(query)]


def _the_image(connection: Connection, task: Task) -> Choice:
    deployable = deployables.get(connection, task.deployable_uuid)
    nothing: frozenset[str] = frozenset()
    part = Part(
        deployable.id, deployable.uuid, deployable.name, "card", "present", None, task.device_uuid, nothing, nothing
    )
    return Choice(IMAGE, part, is_loaded=False)
