"""Who uses an image: the parts of devices that it is loaded in, the profiles that want it, the jobs that load it."""

from typing import NamedTuple

from sqlalchemy import Connection, Text, cast, select

from accel.db.job_tables import Job
from accel.db.scope import Scope
from accel.db.tables import AttachHandle, Deployable, Device, DeviceProfile, Holder, Node
from accel.errors import Conflict
from accel.model.job import ENDED

_MOST_USERS_NAMED = 10


class HoldingPart(NamedTuple):
    """A part of a device that an image is loaded in."""

    uuid: str
    name: str
    device_uuid: str
    node: str


def holding_parts(connection: Connection, uuid: str, *, scope: Scope) -> list[HoldingPart]:
    """The parts of devices that an image is loaded in, as far as the caller may know of them.

    An administrator knows of all, everybody else of devices that the own project holds something of.
    """
    statement = (
        select(Deployable.uuid, Deployable.name, Device.uuid, Node.name)
        .join(Device, Device.id == Deployable.device_id)
        .join(Node, Node.id == Device.node_id)
        .where(Deployable.bitstream_id == uuid)
        .order_by(Deployable.id)
    )
    if not scope.sees_all:
        theirs = (
            select(Deployable.device_id)
            .join(AttachHandle, AttachHandle.deployable_id == Deployable.id)
            .join(Holder, Holder.attach_handle_id == AttachHandle.id)
            .where(Holder.project_id == scope.project_id)
        )
        statement = statement.where(Deployable.device_id.in_(theirs))
    return [HoldingPart._make(row) for row in connection.execute(statement)]


def check_unused(connection: Connection, uuid: str, title: str, *, scope: Scope) -> None:
    """Make sure that nobody uses an image.

    :param title: what the image is called
    :raises Conflict: somebody does; the text names those of whom the caller may know
    """
    most = _MOST_USERS_NAMED + 1
    loaded = connection.scalars(
        select(Deployable.name).where(Deployable.bitstream_id == uuid).order_by(Deployable.id).limit(most)
    ).all()
    wanting = connection.execute(
        select(DeviceProfile.name, DeviceProfile.project_id, DeviceProfile.is_public)
        .where(cast(DeviceProfile.groups, Text).contains(uuid, autoescape=True))
        .order_by(DeviceProfile.id)
        .limit(most)
    ).all()
    loading = connection.scalars(
        select(Job.uuid)
        .where(Job.state.not_in(sorted(ENDED)), Job.image.is_not(None))
        .where(cast(Job.image, Text).contains(uuid, autoescape=True))
        .order_by(Job.id)
        .limit(most)
    ).all()
    if not loaded and not wanting and not loading:
        return
    known = [f"device profile {name}" for name, project, is_public in wanting if is_public or scope.knows(project)]
    known += [f"deployable {name}" for name in loaded if scope.sees_all]
    known += [f"job {job}" for job in loading if scope.sees_all]
    named = known[:_MOST_USERS_NAMED]
    unnamed = len(loaded) + len(wanting) + len(loading) > len(named)
    users = ", ".join(named) + (" and others" if unnamed else "") if named else "what others have"
    raise Conflict(f"image {title} is in use by {users}: it can be deleted when nothing uses it")
