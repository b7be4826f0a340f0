"""The table of jobs."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from accel.db.tables import MARIADB, Base


class Job(Base):
    """Something that is done to a device on its node.

    Names and UUIDs are copied, not referenced: what was done is told for longer than the thing is there.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_state_lease_until", "state", "lease_until"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    kind: Mapped[str] = mapped_column(String(16))  # model.job.JobKind
    state: Mapped[str] = mapped_column(String(16))  # model.job.JobState
    node: Mapped[str] = mapped_column(String(255), index=True)
    driver: Mapped[str] = mapped_column(String(64))
    identity: Mapped[str] = mapped_column(String(255))  # of the device on its node
    device_uuid: Mapped[str] = mapped_column(String(36), index=True)
    deployable: Mapped[str | None] = mapped_column(String(255))
    deployable_uuid: Mapped[str | None] = mapped_column(String(36))
    handle: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # model.job.HandleOrder
    arguments: Mapped[dict[str, str]] = mapped_column(JSON)
    image: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # model.job.ImageOrder
    time_limit_seconds: Mapped[float]
    deadline_at: Mapped[datetime]  # it is not begun any more from then on
    project_id: Mapped[str | None] = mapped_column(String(255), index=True)  # NULL: the operators'
    request_uuid: Mapped[str | None] = mapped_column(String(36), index=True)
    key: Mapped[str] = mapped_column(String(255), index=True)  # what it is a part of
    message: Mapped[str] = mapped_column(Text)  # what it is at, or what holds it up
    fraction: Mapped[float | None]
    error_code: Mapped[str] = mapped_column(String(64))
    error_text: Mapped[str] = mapped_column(Text)
    is_state_unknown: Mapped[bool]
    is_cancel_wanted: Mapped[bool]
    cancelled_by: Mapped[str | None] = mapped_column(String(255))  # whoever wanted that first
    must_go_on: Mapped[str] = mapped_column(String(255), server_default="")  # why it cannot be cancelled now
    worker: Mapped[str | None] = mapped_column(String(255))  # the conductor that attends to it
    lease_until: Mapped[datetime | None]  # from then on another one may; without a worker: not before
    created_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
