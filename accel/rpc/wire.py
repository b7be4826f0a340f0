"""The wire form of the model: what crosses a process border, and how it is read back.

A value travels as plain dictionaries, lists, strings and numbers with the names of the model. Members the reader does
not know are ignored and members that are missing take their defaults, so an agent and a conductor of neighbouring
releases understand each other. Everything else that is wrong is an ``InvalidValue`` that says where.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any, TypeVar

import msgspec

from accel.errors import InvalidValue
from accel.model.report import NodeReport

Value = TypeVar("Value")


def _plain(value: object) -> object:
    """Whatever kind of mapping a driver has used, as a dictionary."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} values have no wire form")


_NOTHING = object()
_LOOKING = Lock()
_READY: set[type[object]] = set()
_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=_plain)


def encode(value: object) -> Any:
    """A model value as what any serializer can carry."""
    return msgspec.to_builtins(value, enc_hook=_plain)


def decode(kind: type[Value], data: object) -> Value:
    """Read a model value from its wire form.

    :raises InvalidValue: the data is no such value; the text says at which member
    """
    _get_ready(kind)
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _invalid(kind, data, error) from error


def encode_bytes(value: object) -> bytes:
    """A model value as JSON; equal values give equal bytes.

    :raises InvalidValue: a text in it is no Unicode: half of a surrogate pair
    """
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError as error:
        raise InvalidValue(type(value).__name__, error.object, f"Unicode: {error.reason}") from error


def decode_bytes(kind: type[Value], data: bytes) -> Value:
    """Read a model value from JSON.

    :raises InvalidValue: the data is not JSON, or no such value
    """
    _get_ready(kind)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise _invalid(kind, data, error) from error


def _get_ready(kind: type[object]) -> None:
    """Let msgspec look at a type before it is used, in one thread at a time.

    It keeps what it finds out on the type, and crashes the process when two threads make it look for the first time at
    once.
    """
    if kind in _READY:
        return
    with _LOOKING, suppress(msgspec.ValidationError):
        msgspec.convert(_NOTHING, kind)
    _READY.add(kind)


def content_hash(report: NodeReport) -> str:
    """A fingerprint of what the report says about the node, whenever and after whatever restart it says so.

    What is empty counts as not said, so a release that knows one more member finds the same fingerprint in the report
    of an agent that does not know it.

    :raises InvalidValue: see ``encode_bytes``
    """
    content = encode(replace(report, boot_id="", sequence=0))
    return hashlib.sha256(encode_bytes(_without_empty(content))).hexdigest()


def _without_empty(data: Any) -> Any:
    """Zero and False are not empty."""
    if isinstance(data, dict):
        members = {key: _without_empty(member) for key, member in data.items()}
        return {key: member for key, member in members.items() if member or member == 0}
    if isinstance(data, list | tuple):
        return [_without_empty(item) for item in data]
    return data


def _invalid(kind: type[object], data: object, error: msgspec.DecodeError) -> InvalidValue:
    shown = repr(data)
    return InvalidValue(kind.__name__, shown if len(shown) <= 80 else f"{shown[:77]}…", f"a {kind.__name__}: {error}")
