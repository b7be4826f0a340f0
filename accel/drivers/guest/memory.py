"""What was before a function went to a guest, on disk: whoever gives it back may be another process, after a crash."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from accel.drivers.base import Host
from accel.errors import ActRefused

_FOLDER = "bindings"


def remember(host: Host, key: str, drivers: Mapping[str, str]) -> None:
    """Keep which kernel drivers functions had; what is kept already is older, and stays.

    :param key: what the function went to a guest for: the handle's UUID
    :param drivers: the driver of each function by its address; empty: none
    :raises ActRefused: the disk does not take it
    """
    file = _file(host, key)
    text = json.dumps({**drivers, **recall(host, key)}, indent=2, sort_keys=True)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(file, text)
    except OSError as error:
        raise ActRefused(
            f"{file} cannot be written: {error.strerror}",
            "without it nobody would know how to undo this: let it belong to the agent's user",
        ) from error


def recall(host: Host, key: str) -> Mapping[str, str]:
    """What is kept; nothing where nothing is, or nothing that can be read."""
    try:
        kept = json.loads(_file(host, key).read_text())
    except (OSError, ValueError):
        return {}
    return {str(address): str(driver) for address, driver in kept.items()} if isinstance(kept, dict) else {}


def forget(host: Host, key: str) -> None:
    """Keep it no more."""
    _file(host, key).unlink(missing_ok=True)


def _file(host: Host, key: str) -> Path:
    if not key or "/" in key or key.startswith("."):
        raise ActRefused(f"{key!r} is no key of a handle")
    return host.memory / _FOLDER / f"{key}.json"


def _write_whole(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    with new.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(file)
