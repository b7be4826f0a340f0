"""Which image a part of a device has loaded: as the ends of jobs tell it, until its driver sees something else."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from accel.db import images
from accel.db.events import Origin
from accel.db.history import AGENT, Entry
from accel.db.image_orders import IMAGE_UUID, LOADED, NAMES_ONE_BUILD
from accel.db.image_tables import Image, ImageId
from accel.db.jobs import JobRow
from accel.db.tables import Deployable
from accel.model.diff import AttributeChange, Change
from accel.model.event import EventKind
from accel.model.image import normal_id
from accel.model.job import JobKind, JobState, JobStatus
from accel.model.registry import ImageState

_RECORDED = select(Deployable.id, Deployable.bitstream_id)
_FUNCTIONS = select(Image.uuid, ImageId.value).join(Image, Image.id == ImageId.image_id)


def note(connection: Connection, job: JobRow, status: JobStatus, origin: Origin) -> None:
    """Write down what is loaded once a job to load an image, or to take one out, has ended.

    What has failed halfway leaves nobody knowing what is loaded; what was refused leaves what was.
    """
    is_done = status.state is JobState.DONE
    if job.deployable_uuid is None or not (is_done or status.is_state_unknown):
        return
    metadata = (job.image or {}).get("metadata", {})
    loaded = metadata.get(IMAGE_UUID) if is_done and job.kind == JobKind.PROGRAM else None
    statement = update(Deployable).where(Deployable.uuid == job.deployable_uuid)
    connection.execute(statement.values(bitstream_id=loaded, updated_at=origin.at))


def follow(connection: Connection, node: str, changes: Iterable[Change], origin: Origin) -> Sequence[Entry]:
    """Write down what drivers see loaded where it is not what is recorded: somebody has loaded it by other means.

    What an image does says little of who has built it, so a record is taken back by that, and made only by an id that
    no second build has. What is not seen any more stays recorded: it may be out of sight only.

    :param changes: of a report about the node
    :return: events that tell of it
    """
    seen = {
        change.deployable.id: change
        for change in changes
        if isinstance(change, AttributeChange) and change.after is not None and change.after.key in LOADED
    }
    if not seen:
        return ()
    before = {row.id: row.bitstream_id for row in connection.execute(_RECORDED.where(Deployable.id.in_(seen)))}
    ids = {key: normal_id(change.after.value if change.after else "") for key, change in seen.items()}
    functions, having = _functions(connection, before.values()), _having(connection, ids.values())
    entries, written = [], []
    for key, change in seen.items():
        recorded, found = before.get(key), ids[key]
        if recorded is not None and found in functions.get(recorded, ()):
            continue
        now = having.get(found) if change.after is not None and change.after.key == NAMES_ONE_BUILD else None
        if now != recorded:
            written.append({"row": key, "loaded": now})
            entries.append(_entry(node, change, recorded, now))
    if written:
        statement = update(Deployable).where(Deployable.id == bindparam("row"))
        connection.execute(statement.values(bitstream_id=bindparam("loaded"), updated_at=origin.at), written)
    return entries


def _functions(connection: Connection, recorded: Iterable[str | None]) -> Mapping[str, set[str]]:
    """The functions of images."""
    wanted = {uuid for uuid in recorded if uuid is not None}
    return _sets(connection.execute(_FUNCTIONS.where(ImageId.of == images.FUNCTION, Image.uuid.in_(wanted))))


def _having(connection: Connection, functions: Iterable[str]) -> Mapping[str, str]:
    """The one image that has a function, where one only has it."""
    statement = _FUNCTIONS.where(
        ImageId.of == images.FUNCTION, ImageId.value.in_(set(functions) - {""}), Image.state == ImageState.READY
    )
    found = _sets((value, uuid) for uuid, value in connection.execute(statement))
    return {value: next(iter(uuids)) for value, uuids in found.items() if len(uuids) == 1}


def _sets(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, set[Any]]:
    found: dict[Any, set[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return found


def _entry(node: str, change: AttributeChange, before: str | None, after: str | None) -> Entry:
    value = change.after.value if change.after is not None else ""
    return Entry(
        kind=EventKind.DEPLOYABLE_CHANGED,
        subject=change.deployable.part.name,
        source=AGENT,
        node=node,
        device_uuid=change.device.uuid,
        before={"bitstream_id": before},
        after={"bitstream_id": after, "reason": f"driver {change.driver} sees {value} loaded"},
    )
