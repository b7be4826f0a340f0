"""How a call ends, in the numbers of gRPC, and what we make of our own errors."""

from collections.abc import Sequence
from enum import IntEnum

import grpc

from accel.errors import AccelError, CallFailed, Conflict, InvalidValue, NotFound, Unavailable


class Code(IntEnum):
    """The status codes of gRPC that we give or tell apart."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14

    @property
    def grpc(self) -> grpc.StatusCode:
        """The same as grpcio has it."""
        return grpc.StatusCode[self.name]

    @classmethod
    def _missing_(cls, _value: object) -> "Code":
        return cls.UNKNOWN


_CODES: Sequence[tuple[type[AccelError], Code]] = (
    (InvalidValue, Code.INVALID_ARGUMENT),
    (NotFound, Code.NOT_FOUND),
    (Conflict, Code.FAILED_PRECONDITION),
    (Unavailable, Code.UNAVAILABLE),
)


def code_of(error: AccelError) -> Code:
    """The status that a caller gets for an error of ours."""
    if isinstance(error, CallFailed):
        return Code(error.status)
    return next((code for kind, code in _CODES if isinstance(error, kind)), Code.UNKNOWN)


def failed(code: Code, text: str) -> CallFailed:
    """The error of a call that ended with a status."""
    return CallFailed(int(code), code.name, text)
