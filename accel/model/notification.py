"""What Nova is told of a request that it waits for."""

from enum import StrEnum

BOUND_EVENT = "accelerator-request-bound"
"""The name of Nova's external event."""


class NotificationStatus(StrEnum):
    """What became of the request, in Nova's words."""

    COMPLETED = "completed"
    FAILED = "failed"
