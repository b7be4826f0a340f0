"""One method of one path: what the table of routes is made of."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus
from typing import Any

from accel.api.call import Call
from accel.api.microversion import OLDEST, Version
from accel.api.schemas.common import NO_QUERY, Schema


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path: a row of the table, which begins with what is asked for and who answers."""

    method: str
    path: str
    handler: Callable[[Call], Any]
    _: KW_ONLY
    policy: str | None = None
    """The rule that says who may; None: everybody who can reach the service."""
    since: Version = OLDEST
    query: Schema = field(default_factory=lambda: NO_QUERY)
    body: Schema | None = None
    """None: a body is not looked at."""
    answer: Schema | None = None
    """None: the answer has no body."""
    success: HTTPStatus = HTTPStatus.OK
    other_successes: tuple[HTTPStatus, ...] = ()
    """Further ones, with the same answer."""
    has_version: bool = True
    """Whether the version header is looked at."""
    takes_bytes: bool = False
    """Whether the body is bytes, of any number, which the handler reads from ``Call.content``."""
    gives_bytes: bool = False
    """Whether the answer is bytes, which the handler returns as ``Bytes``."""
    old_filters: tuple[str, ...] | None = None
    """What ``filters.field`` may name and acts here; None: there is no such parameter."""
