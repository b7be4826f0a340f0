"""The table of what pods use."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from accel.db.tables import MARIADB, Base


class Use(Base):
    """That a container has an attach handle, by the word of its kubelet.

    It is what was seen, and not who the handle belongs to: several containers may share one, and somebody else may
    hold it.
    """

    __tablename__ = "uses"
    __table_args__ = (UniqueConstraint("attach_handle_id", "name"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    attach_handle_id: Mapped[int] = mapped_column(ForeignKey("attach_handles.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(400))  # namespace/name/container
    created_at: Mapped[datetime]
