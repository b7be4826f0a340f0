"""What can be the matter when something is done to a device."""

from accel.errors.base import AccelError


class ActFailed(AccelError):
    """Something was to be done to a device and went wrong on the way: what the device is like now is not known.

    :param hint: what a person can do about it; empty where nothing is known
    """

    code = "accel.act_failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}: {hint}" if hint else message)
        self.what = message
        self.hint = hint


class ActTimedOut(ActFailed):
    """It took too long and was ended by force."""

    code = "accel.act_timed_out"


class ActDied(ActFailed):
    """The process that did it died."""

    code = "accel.act_died"


class ActInterrupted(ActFailed):
    """The agent was stopped while it was at it."""

    code = "accel.act_interrupted"


class ActCancelled(ActFailed):
    """Somebody has cancelled it, and it was ended where it was."""

    code = "accel.act_cancelled"


class ToolFailed(ActFailed):
    """The program of a vendor that does it ended with an error; the text has what it said.

    :param status: what it exited with; negative: the signal that ended it
    """

    code = "accel.tool_failed"

    def __init__(self, message: str, hint: str = "", *, status: int = 1) -> None:
        super().__init__(message, hint)
        self.status = status


class NotVerified(ActFailed):
    """It seemed to go well, and what is read back is something else."""

    code = "accel.not_verified"


class ActRefused(ActFailed):
    """It was refused before anything was changed: the device is as it was."""

    code = "accel.act_refused"


class ActNotSupported(ActRefused):
    """The driver of the device cannot do that."""

    code = "accel.act_not_supported"


class DeviceGone(ActRefused):
    """The driver does not see the device, or not the part of it that is meant."""

    code = "accel.device_gone"


class DeviceInUse(ActRefused):
    """A process on the host has the device open."""

    code = "accel.device_in_use"


class ImageMismatch(ActRefused):
    """An image was not made for the region, or not for the card, that it was to be loaded into."""

    code = "accel.image_mismatch"


class ToolMissing(ActRefused):
    """The program of a vendor that does it is not installed."""

    code = "accel.tool_missing"


class ActNotAllowed(ActRefused):
    """It is not among what may be done with privilege."""

    code = "accel.act_not_allowed"


class PermissionMissing(ActRefused):
    """The agent has not the privilege that it takes; ``accel-agent doctor`` says of each what there is."""

    code = "accel.permission_missing"


class NoIommu(ActRefused):
    """The host keeps no device from another one's memory, so none can be handed to a guest."""

    code = "accel.no_iommu"


class GroupNotViable(ActRefused):
    """The IOMMU group of a device has members that belong to others, and a group goes to one guest as a whole."""

    code = "accel.group_not_viable"


class UsedByHost(ActRefused):
    """The host itself needs the device: it runs from its disks, or draws its console with it."""

    code = "accel.used_by_host"


class VirtualFunctionsInUse(ActRefused):
    """Virtual functions are there, or in use, that the act would take away from somebody."""

    code = "accel.virtual_functions_in_use"


class VirtualFunctionsImpossible(ActRefused):
    """The device cannot have virtual functions as it stands, or not so many."""

    code = "accel.virtual_functions_impossible"


class MdevTypeGone(ActRefused):
    """The parent has no such type of mediated devices any more."""

    code = "accel.mdev_type_gone"


class MdevsUsedUp(ActRefused):
    """The parent has made all the mediated devices that it can make of the type."""

    code = "accel.mdevs_used_up"


class JobFailed(AccelError):
    """A job that somebody has waited for has failed, or was cancelled.

    :param remote_code: the ``code`` of the error on the node; empty where it was cancelled
    """

    code = "accel.job_failed"

    def __init__(self, message: str, remote_code: str) -> None:
        super().__init__(message)
        self.remote_code = remote_code or self.code
