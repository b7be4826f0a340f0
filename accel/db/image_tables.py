"""The tables of images: what they are, whose they are, their bytes, and the keys that sign them.

Bytes are stored once however many images have them. They arrive under no digest and are given theirs when they are
whole, so what has been sent halfway is found by nobody.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from accel.db.tables import MARIADB, Base

_Bytes = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")  # MariaDB's BLOB ends at 64 KiB


class ImageKey(Base):
    """A public key whose signatures a project vouches for."""

    __tablename__ = "image_keys"
    __table_args__ = (UniqueConstraint("project_id", "name"), UniqueConstraint("project_id", "public_key"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    project_id: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    public_key: Mapped[str] = mapped_column(String(64))  # base64 of 32 bytes
    revoked_at: Mapped[datetime | None]  # what it has signed is loaded no more; it stays, so that nobody adds it again
    created_at: Mapped[datetime]


class ImageContent(Base):
    """The bytes of images."""

    __tablename__ = "image_contents"
    __table_args__ = (MARIADB,)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str | None] = mapped_column(String(64), unique=True)  # NULL: they are arriving
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(index=True)  # what has been arriving for too long is given up by it


class ImageChunk(Base):
    """A part of some bytes: ``model.registry.CHUNK_BYTES`` of them, but for the last."""

    __tablename__ = "image_chunks"
    __table_args__ = (MARIADB,)

    content_id: Mapped[int] = mapped_column(
        ForeignKey("image_contents.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(_Bytes)


class Image(Base):
    """What can be loaded into a programmable device."""

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("project_id", "name", "version"),
        Index("ix_images_state_lease_until", "state", "lease_until"),
        MARIADB,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    project_id: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str | None] = mapped_column(String(16))  # model.registry.ImageKind; NULL: not known yet
    vendor: Mapped[str] = mapped_column(String(255))
    platform: Mapped[str] = mapped_column(String(255))
    purpose: Mapped[str] = mapped_column(String(16))  # model.image.ImagePurpose
    visibility: Mapped[str] = mapped_column(String(16))  # model.registry.Visibility
    source: Mapped[str] = mapped_column(String(16))  # model.registry.ImageSource
    source_ref: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))  # model.registry.ImageState
    reason: Mapped[str] = mapped_column(Text)  # why it has failed
    digest: Mapped[str | None] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    content_id: Mapped[int | None] = mapped_column(ForeignKey("image_contents.id", ondelete="RESTRICT"), index=True)
    signature: Mapped[str | None] = mapped_column(String(128))  # base64 of 64 bytes; it was good when it was stored
    key_id: Mapped[int | None] = mapped_column(ForeignKey("image_keys.id", ondelete="RESTRICT"), index=True)
    lease_until: Mapped[datetime | None]  # until when somebody is getting its bytes
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class ImageId(Base):
    """A region that an image is for, or a function that it has."""

    __tablename__ = "image_ids"
    __table_args__ = (
        UniqueConstraint("image_id", "of", "value"),
        Index("ix_image_ids_value_of", "value", "of"),
        MARIADB,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    of: Mapped[str] = mapped_column(String(16))  # region or function
    value: Mapped[str] = mapped_column(String(32))


class ImageProject(Base):
    """A project that an image is shared with."""

    __tablename__ = "image_projects"
    __table_args__ = (UniqueConstraint("image_id", "project_id"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(String(255), index=True)
