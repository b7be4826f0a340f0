"""A node with cards, a project that claims them and a conductor: all with names that no other test uses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_DNS, uuid3, uuid4

from sqlalchemy import delete, func, insert, select
from support import holding
from support.claims import terms
from support.clocks import Clock
from support.reports import answer, card, gpu, pci_handle, report

from accel.conductor.claims import Claims, Hooks, Step
from accel.conductor.manager import Limits, Manager
from accel.db import claims, devices, profiles, requests
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.requests import RequestRow
from accel.db.scope import EVERYTHING, Scope
from accel.db.tables import (
    AcceleratorRequest,
    AttachHandle,
    Deployable,
    Device,
    Event,
    Holder,
    Notification,
    Quota,
)
from accel.db.transitions import lock, lock_of_instance
from accel.model.device import Device as ReportedDevice
from accel.model.node import DeviceStatus
from accel.model.profile import DeviceProfile
from accel.model.request import BindTarget, Caller, RequestChange, RequestChanges

Submit = Callable[[Callable[[], None]], object]


def at_once(work: Callable[[], None]) -> None:
    """Do the work where it is submitted."""
    work()


@dataclass
class Site:
    """Everything of it is named after ``name``, so that many may be in one database."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    name: str = field(default_factory=lambda: uuid4().hex[:12])
    tells_nova: bool = True
    has_profile: bool = False
    sequence: int = 0

    @property
    def node(self) -> str:
        return f"node-{self.name}"

    @property
    def project(self) -> str:
        return f"project-{self.name}"

    @property
    def profile(self) -> str:
        return f"profile-{self.name}"

    @property
    def origin(self) -> Origin:
        return Origin(at=self.clock(), request_id="req-1", user_id="mia")

    # --- the node ---

    def report(self, *devices: ReportedDevice, node: str = "") -> None:
        """Have the node's agent say what is there."""
        self.sequence += 1
        Manager(self.database, self.clock, Limits()).report(
            report(answer(*devices), sequence=self.sequence, name=node or self.node)
        )

    def gpu(self, slot: int = 1, *, handles: int = 1, **changed: Any) -> ReportedDevice:
        """A card with so many PCI functions."""
        name = f"{self.name}_{slot}"
        part = card(
            slot,
            name=name,
            num_accelerators=handles,
            handles=tuple(pci_handle(slot, number) for number in range(handles)),
        )
        return gpu(slot, **({"identity": f"GPU-{name}", "deployables": (part,)} | changed))

    def provider(self, slot: int = 1) -> str:
        """The UUID of the provider that the card is in OpenStack Placement."""
        return str(uuid3(NAMESPACE_DNS, f"{self.name}_{slot}"))

    # --- the project ---

    def make(
        self,
        amount: int = 1,
        *,
        project: str = "",
        group: Mapping[str, str] | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> list[str]:
        """Make requests under the profile, which is made first where there is none; gives their UUIDs.

        :param then: what happens before the transaction of the first of them ends
        """
        if not self.has_profile:
            groups = ({"resources:PGPU": "1", **(group or {})},)
            profile = DeviceProfile(uuid=str(uuid4()), name=self.profile, description=None, groups=groups)
            self.database.write(lambda connection: profiles.create(connection, profile, origin=self.origin))
            self.has_profile = True
        return [uuid for _ in range(amount) for uuid in self._make(project or self.project, then)]

    def _make(self, project: str, then: Callable[[], None]) -> list[str]:
        def make(connection: Connection) -> list[str]:
            made = requests.create(
                connection,
                self.profile,
                project_id=project,
                scope=Scope(project_id=project),
                origin=self.origin,
            )
            then()
            return [row.uuid for row in made]

        return self.database.write(make)

    def delete_profile(self, then: Callable[[], None] = lambda: None) -> None:
        """Delete the profile."""

        def remove(connection: Connection) -> None:
            profiles.remove(connection, [self.profile], scope=EVERYTHING, origin=self.origin)
            then()

        self.database.write(remove)
        self.has_profile = False

    def limit(self, amount: int, *, resource_class: str = "PGPU") -> None:
        """Let the project hold no more than that."""
        quota = {"project_id": self.project, "resource_class": resource_class, "limit": amount}
        row = quota | {"created_at": self.clock()}
        self.database.write(lambda connection: connection.execute(insert(Quota).values(row)))

    def target(self, slot: int = 1, *, instance: str = "vm", **changed: Any) -> BindTarget:
        """What to bind to: a card of the node, for an instance."""
        values = {
            "hostname": self.node,
            "device_rp_uuid": self.provider(slot),
            "instance_uuid": f"{instance}-{self.name}",
        }
        return BindTarget(**(values | changed))

    def wanted(self, *changes: RequestChange, project: str = "") -> RequestChanges:
        """Changes in the project's name."""
        caller = Caller(project_id=project or self.project, request_id="req-1", user_id="mia")
        return RequestChanges(changes=changes, caller=caller)

    def binds(self, uuids: Iterable[str], slot: int = 1, **changed: Any) -> RequestChanges:
        """That all of these are to be bound to a card."""
        target = self.target(slot, **changed)
        return self.wanted(*(RequestChange(request=uuid, target=target) for uuid in uuids))

    def unbinds(self, uuids: Iterable[str]) -> RequestChanges:
        """That all of these are to be unbound."""
        return self.wanted(*(RequestChange(request=uuid) for uuid in uuids))

    def delete(
        self,
        *uuids: str,
        instance: str = "",
        scope: Scope | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> list[str]:
        """Delete requests, or those of an instance, as the API does.

        :param scope: what whoever deletes them sees, by default what is the project's
        :param then: what happens before the transaction ends
        :return: those that a conductor is to work on first
        """
        scope = scope or Scope(project_id=self.project)

        def remove(connection: Connection) -> list[str]:
            of_instance = f"{instance}-{self.name}"
            rows = lock_of_instance(connection, of_instance, scope=scope) if instance else []
            rows += lock(connection, uuids, scope=scope)
            left = claims.remove(connection, [(row, self.origin) for row in rows])
            then()
            return left

        return self.database.write(remove)

    # --- the conductor ---

    def conductor(
        self,
        *,
        steps: Mapping[str, Step] | None = None,
        name: str = "conductor-1",
        submit: Submit = at_once,
        hooks: Hooks | None = None,
        database: Database | None = None,
    ) -> Claims:
        """A conductor that works with these steps on each handle."""
        known = steps or {}
        agreed = terms(steps=list(known), tells_nova=self.tells_nova, worker=name)
        return Claims(database or self.database, self.clock, agreed, steps=known, submit=submit, hooks=hooks)

    # --- what there is ---

    def request(self, uuid: str) -> RequestRow:
        """A request as the API shows it."""
        return self.database.read(lambda connection: requests.get(connection, uuid, scope=EVERYTHING))

    def states(self, *uuids: str) -> list[str]:
        """Their states, in their order."""
        return [self.request(uuid).state for uuid in uuids]

    def held(self) -> int:
        """How many handles of the node somebody holds."""
        return len(self.holders())

    def holders(self) -> Sequence[Any]:
        """Who holds what of the node."""
        query = (
            select(Holder.uuid, Holder.name, Holder.project_id, Holder.request_id, AttachHandle.uuid.label("handle"))
            .join(AttachHandle, AttachHandle.id == Holder.attach_handle_id)
            .join(Deployable, Deployable.id == AttachHandle.deployable_id)
            .where(Deployable.name.startswith(f"{self.name}_"))
            .order_by(Holder.id)
        )
        with self.database.reader() as connection:
            return connection.execute(query).all()

    def events(self, uuid: str) -> Sequence[Any]:
        """What happened to a request."""
        with self.database.reader() as connection:
            query = select(*Event.__table__.columns).where(Event.subject == uuid).order_by(Event.id)
            return connection.execute(query).all()

    def notifications(self, *uuids: str) -> list[tuple[str, str]]:
        """What Nova is to be told of requests: instance and status of each."""
        query = select(Notification.instance_uuid, Notification.status).order_by(Notification.id)
        with self.database.reader() as connection:
            found = connection.execute(query.where(Notification.request_uuid.in_(uuids)))
            return [(instance, status) for instance, status in found]

    def left(self) -> int:
        """How many requests of the project there are."""
        query = select(func.count()).where(AcceleratorRequest.project_id == self.project)
        with self.database.reader() as connection:
            return connection.scalar(query) or 0

    def clear(self) -> None:
        """Forget all requests and what they hold, so that no conductor of another test works on them."""
        with self.database.writer() as connection:
            connection.execute(delete(Holder).where(Holder.request_id.is_not(None)))
            connection.execute(delete(AcceleratorRequest))

    def hold(self, slot: int = 1) -> str:
        """Have a pod hold the first handle of a card; gives the holder's UUID."""
        first = select(AttachHandle.uuid).join(Deployable).where(Deployable.name == f"{self.name}_{slot}")

        def hold(connection: Connection) -> str:
            handle = connection.scalars(first.order_by(AttachHandle.id)).first()
            return holding.hold(connection, handle, kind="pod", name="pod", project_id=None, now=self.clock())

        return self.database.write(hold)

    def device(self, slot: int = 1) -> str:
        """The UUID of a card."""
        query = select(Device.uuid).join(Deployable).where(Deployable.name == f"{self.name}_{slot}")
        with self.database.reader() as connection:
            return connection.scalars(query).one()

    def set_status(self, status: DeviceStatus, *, device: str = "") -> None:
        """Disable or enable a card, by default the first, as an operator does."""
        uuid = device or self.device()
        self.database.write(lambda connection: devices.set_status(connection, uuid, status, origin=self.origin))
