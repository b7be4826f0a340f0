"""What Nova is told of a request that it waits for, and how it takes that."""

from dataclasses import dataclass
from enum import StrEnum

BOUND_EVENT = "accelerator-request-bound"
"""The name of Nova's external event."""


class NotificationStatus(StrEnum):
    """What became of the request, in Nova's words."""

    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What became of one request."""

    request_uuid: str
    instance_uuid: str
    status: NotificationStatus


class Reception(StrEnum):
    """How Nova takes a notification."""

    TAKEN = "taken"
    """It knows, or will read the request itself before it needs to."""
    POINTLESS = "pointless"
    """It has no such instance: nobody waits for the request."""
    FAILED = "failed"
    """It may take it another time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What Nova says to a notification."""

    reception: Reception
    text: str = ""
    """Why it has not taken it."""
