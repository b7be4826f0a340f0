"""What can be the matter with what somebody asks for, with our own parts, and with looking at a host."""

from collections.abc import Sequence
from typing import ClassVar


class AccelError(Exception):
    """The root: catch it to catch whatever accel raises on purpose."""

    code: ClassVar[str] = "accel.error"


class InvalidValue(AccelError, ValueError):
    """A value cannot be right.

    :param field: what was being filled in, as the person who gave it knows it: ``limit``, ``nodes[3].cards``
    :param value: what was given
    :param expected: what would be right, in words
    """

    code = "accel.invalid_value"

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(f"{field}: {value!r} is not {expected}")
        self.field = field
        self.value = value
        self.expected = expected

    def __reduce__(self) -> tuple[type["InvalidValue"], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.expected)


class InvalidAddress(InvalidValue):
    """A text is not a PCI address."""

    code = "accel.invalid_address"


class ReferenceFault(InvalidValue):
    """A mistake that versions of the API before 2.4 answer as a fault of the server: OpenStack's tests insist on it."""

    code = "accel.reference_fault"


class InvalidFleet(AccelError, ValueError):
    """A fleet file has a mistake; the text names file, line, field and what is allowed."""

    code = "accel.invalid_fleet"


class InvalidTrace(AccelError, ValueError):
    """A file of nodes or tasks to simulate has a mistake; the text names file, line, field and what is allowed."""

    code = "accel.invalid_trace"


class InvalidImage(AccelError, ValueError):
    """A file with an image for an FPGA is not what it begins as: cut short, damaged, without what must be in it."""

    code = "accel.invalid_image"


class ConfigurationError(AccelError):
    """The service cannot start as it is configured."""

    code = "accel.configuration"


class UnknownDriver(ConfigurationError):
    """A driver is enabled that is not installed."""

    code = "accel.unknown_driver"

    def __init__(self, name: str, installed: list[str]) -> None:
        super().__init__(f"driver {name!r} is enabled but not installed; installed drivers: {', '.join(installed)}")


class NotFound(AccelError):
    """There is no such thing.

    :param kind: ``device``, ``node`` …
    :param key: how it was asked for
    """

    code = "accel.not_found"

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"{kind.capitalize()} not found: {key}")
        self.kind = kind
        self.key = key


class Conflict(AccelError):
    """The thing is there, in a state that does not allow the act."""

    code = "accel.conflict"


class UuidInUse(Conflict):
    """A new thing cannot have the UUID of another one."""

    code = "accel.uuid_in_use"

    def __init__(self, uuid: str) -> None:
        super().__init__(f"uuid: {uuid} is in use; leave it out to be given one")
        self.uuid = uuid


class StaleVersion(Conflict):
    """The thing has been changed since whoever wants to change it read it.

    :param what: ``device profile gold``
    :param given: the version that they saw
    :param current: the version that it has
    """

    code = "accel.stale_version"

    def __init__(self, what: str, *, given: int, current: int) -> None:
        super().__init__(f"version: {given} of {what} is not the newest, which is {current}: read it again")


class NoPlacement(Conflict):
    """What is wanted fits nowhere now; the text says why."""

    code = "accel.no_placement"


class LayoutImpossible(Conflict):
    """A device cannot be cut into the parts that are wanted; the text says why.

    :param rule: see ``accel.model.layout.Rule``
    """

    code = "accel.layout_impossible"

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


class Overtaken(Conflict):
    """Others have taken what was chosen."""

    code = "accel.overtaken"


class Unavailable(AccelError):
    """A part that we depend on is away; the same call may work later."""

    code = "accel.unavailable"


class TooManyWait(Unavailable):
    """As many requests as may wait for jobs on devices are waiting."""

    code = "accel.too_many_wait"


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code = "accel.database_unavailable"


class ConductorUnavailable(Unavailable):
    """No conductor answers, or the broker between us is away."""

    code = "accel.conductor_unavailable"


class AgentUnavailable(Unavailable):
    """The agent of a node does not answer, or the broker between us is away."""

    code = "accel.agent_unavailable"


class NovaUnavailable(Unavailable):
    """OpenStack's compute service does not answer, or not what it was asked."""

    code = "accel.nova_unavailable"


class PlacementUnavailable(Unavailable):
    """OpenStack's placement service does not answer, or it is somebody else who answers."""

    code = "accel.placement_unavailable"


class ConductorRefused(AccelError):
    """The conductor understood the message and answered that it is wrong; the same message will not do later.

    :param remote_code: the ``code`` of the error over there
    """

    code = "accel.conductor_refused"

    def __init__(self, message: str, remote_code: str) -> None:
        super().__init__(message)
        self.remote_code = remote_code


class AgentRefused(AccelError):
    """The agent of a node understood the message and answered that it is wrong.

    :param remote_code: the ``code`` of the error over there
    """

    code = "accel.agent_refused"

    def __init__(self, message: str, remote_code: str) -> None:
        super().__init__(message)
        self.remote_code = remote_code


class Superseded(ConductorRefused):
    """The conductor has heard of a later boot of the node.

    Either the message is from before a restart of the host, or another host reports under the same name.
    """

    code = "accel.superseded"

    def __init__(self, node: str, boot_id: str) -> None:
        super().__init__(
            f"the conductor knows a later boot of node {node} than {boot_id}; if this one is the newest, another host "
            "reports under the same name: set [DEFAULT] host",
            self.code,
        )


class IncompatibleVersion(AccelError):
    """Two services have no version of the messages in common: they are more than one release apart."""

    code = "accel.incompatible_version"

    def __init__(self, ours: Sequence[str], theirs: Sequence[str]) -> None:
        super().__init__(
            f"no common version of the messages: one side speaks {', '.join(ours)}, the other "
            f"{', '.join(theirs) or 'none'}; upgrade the older side, one release at a time"
        )


class DriverFailure(AccelError):
    """A driver could not say what is there.

    :param hint: what a person can do about it; empty where nothing is known
    """

    code = "accel.driver_failure"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class DriverUnavailable(DriverFailure):
    """The library or kernel interface that the driver reads is not on this host."""

    code = "accel.driver_unavailable"
