"""What can be the matter when something is done to a device."""

from accel.errors.base import AccelError


class ActFailed(AccelError):
    """Something was to be done to a device and went wrong on the way: what the device is like now is not known.

    :param hint: what a person can do about it; empty where nothing is known
    """

    code = "accel.act_failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}: {hint}" if hint else message)
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


class ActRefused(ActFailed):
    """It was refused before anything was changed: the device is as it was."""

    code = "accel.act_refused"


class ActNotSupported(ActRefused):
    """The driver of the device cannot do that."""

    code = "accel.act_not_supported"


class DeviceGone(ActRefused):
    """The driver does not see the device, or not the part of it that is meant."""

    code = "accel.device_gone"
