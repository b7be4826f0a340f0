"""Which image a part of a device has loaded, as the ends of jobs tell it."""

from sqlalchemy import Connection, update

from accel.db.events import Origin
from accel.db.image_orders import IMAGE_UUID
from accel.db.jobs import JobRow
from accel.db.tables import Deployable
from accel.model.job import JobKind, JobState, JobStatus


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
