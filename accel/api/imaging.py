"""What the API knows of images beside the database: what they may be like, and where they are fetched from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from oslo_config import cfg

from accel.db.arrival import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Imaging:
    """Option group ``images``, read."""

    limits: Limits
    url_hosts: frozenset[str]
    has_glance: bool
    requires_signature: bool
    program_limit: timedelta
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def configured(cls, conf: cfg.ConfigOpts) -> Self:
        """What a configuration says."""
        group = conf.images
        return cls(
            limits=Limits(size_bytes=group.max_size_mib << 20, duration=timedelta(seconds=group.time_limit_seconds)),
            url_hosts=frozenset(group.url_hosts),
            requires_signature=group.signature_required,
            program_limit=timedelta(seconds=group.program_limit_seconds),
            has_glance=bool(conf.glance.auth_type or conf.glance.auth_section),
        )
