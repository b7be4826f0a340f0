"""What HTTP itself can be wrong about: requests that never reach what they are about.

Which status each becomes is said in ``accel.api.faults``.
"""

from collections.abc import Collection

from accel.errors import AccelError


class Refusal(AccelError):
    """A request that this API does not take."""


class BadRequest(Refusal):
    """Query, body or path cannot be read, or hold what does not belong there."""

    code = "accel.bad_request"


class NotAuthenticated(Refusal):
    """Nobody says who is asking, or nobody is called so."""

    code = "accel.not_authenticated"


class AccessRefused(Refusal):
    """Whoever asks may not."""

    code = "accel.access_refused"


class NoSuchRoute(Refusal):
    """Nothing is at this path."""

    code = "accel.no_such_route"


class MethodNotAllowed(Refusal):
    """Something is at this path, and takes other methods."""

    code = "accel.method_not_allowed"

    def __init__(self, method: str, allowed: Collection[str]) -> None:
        super().__init__(f"Method {method} is not allowed here; allowed are: {', '.join(sorted(allowed))}")
        self.allowed = sorted(allowed)


class NotAcceptable(Refusal):
    """The client does not accept JSON, which is all there is."""

    code = "accel.not_acceptable"


class NotInThisVersion(Refusal):
    """A later version of the API can do it, and this one cannot."""

    code = "accel.not_in_this_version"


class BadVersion(Refusal):
    """The version header holds no version."""

    code = "accel.bad_version"


class UnsupportedVersion(Refusal):
    """The version header holds a version that we do not have."""

    code = "accel.unsupported_version"


class BodyTooLarge(Refusal):
    """The body is larger than we read."""

    code = "accel.body_too_large"


class UnsupportedMediaType(Refusal):
    """The body is no JSON by its own word."""

    code = "accel.unsupported_media_type"


class StillUnderWay(Refusal):
    """What was begun takes longer than anybody waits; it goes on."""

    code = "accel.still_under_way"


class Unresolved(Refusal):
    """What is asked for is not settled yet: ask again."""

    code = "accel.unresolved"
