"""A node as the conductor knows it."""

from enum import StrEnum


class NodeState(StrEnum):
    """Whether the node's agent is heard."""

    ONLINE = "online"
    OFFLINE = "offline"
    """Silent for longer than the limit. Nothing is concluded about its devices from that."""


class DeviceStatus(StrEnum):
    """What the operator wants with a device, in the words of the OpenStack accelerator API."""

    ENABLED = "enabled"
    MAINTAINING = "maintaining"
    """Disabled: it keeps its holders and is offered to nobody new."""
