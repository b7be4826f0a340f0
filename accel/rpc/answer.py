"""The form of every answer: ``{"result": …}``, or ``{"error": {"code": …, "message": …}}``."""

import logging
from collections.abc import Callable
from typing import Any

from accel.errors import (
    AccelError,
    ConductorRefused,
    ConductorUnavailable,
    Conflict,
    DatabaseUnavailable,
    NotFound,
    Unavailable,
)
from accel.rpc import wire

_LOG = logging.getLogger(__name__)
_AWAY = frozenset(kind.code for kind in (Unavailable, DatabaseUnavailable, ConductorUnavailable))


def answer_of(work: Callable[[], object]) -> dict[str, Any]:
    """What some work comes to, as an answer. A mistake of our own leaves as the exception that it is."""
    try:
        return {"result": wire.encode(work())}
    except AccelError as error:
        # What somebody asked for and cannot have is everyday; anything else somebody has to look at.
        level = logging.INFO if isinstance(error, NotFound | Conflict) else logging.WARNING
        _LOG.log(level, "A message is answered with %s: %s", error.code, error)
        return {"error": {"code": error.code, "message": str(error)}}


def result_of(answer: object) -> Any:
    """What was answered, or its error raised.

    A conductor that itself lacks something is as good as none: it is away.

    :raises ConductorUnavailable: the conductor cannot work now, or it is none of ours
    :raises ConductorRefused: the conductor takes the message for wrong
    """
    if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
        raise ConductorUnavailable(f"the conductor answered something that is no answer: {answer!r}")
    if "result" in answer:
        return answer["result"]
    error = wire.decode(dict[str, str], answer["error"])
    code, message = error.get("code", ""), error.get("message", "")
    if code in _AWAY:
        raise ConductorUnavailable(message)
    raise ConductorRefused(message, code)
