"""Versions of the API: what each one added, and which one a request asks for.

A client names a version in the header ``OpenStack-API-Version: accelerator 2.3``; without the header it gets 2.0,
which is what Nova does. To add a version: a line in ``VERSIONS``, what it changes in routes, schemas and views, an
entry in the documentation.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from accel.api.refusals import BadVersion, UnsupportedVersion

SERVICE_TYPE = "accelerator"
HEADER = "OpenStack-API-Version"


class Version(NamedTuple):
    """A version of the API; compares as numbers do."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


VERSIONS: Mapping[Version, str] = {
    Version(2, 0): "The base.",
    Version(2, 1): "Accelerator requests can be bound for a project by an administrator.",
    Version(2, 2): "A device profile can be shown by its name.",
    Version(2, 3): "Devices show their status.",
    Version(
        2, 4
    ): "Nodes, topology, events, health and summary; attach handles, quotas and audits; placement; device profiles can "
    "be changed; images and keys that sign them; answers say more.",
}
OLDEST = min(VERSIONS)
NEWEST = max(VERSIONS)
SAYS_MORE = Version(2, 4)
"""The first version that is ours and not the reference's."""

_NUMBERS = re.compile(r"(-?\d{1,9})\.(\d{1,9})")


def requested(header: str) -> Version:
    """The version that a request asks for.

    An entry without a service, as old clients send it, is meant for us; an entry for another service alone is not.

    :param header: the value of the header, empty when there is none
    :raises BadVersion: what stands there for us is no version
    :raises UnsupportedVersion: it is a version that we do not have
    """
    wanted = _wanted(header)
    if not wanted:
        return OLDEST
    if wanted == "latest":
        return NEWEST
    numbers = _NUMBERS.fullmatch(wanted)
    if numbers is None:
        raise BadVersion(f'{HEADER}: "{wanted}" is no version; {SERVICE_TYPE} {NEWEST} is one')
    version = Version(int(numbers[1]), int(numbers[2]))
    if version not in VERSIONS:
        raise UnsupportedVersion(f"Version {version} is not supported; versions {OLDEST} to {NEWEST} are")
    return version


def _wanted(header: str) -> str:
    for entry in header.split(","):
        service, _, version = entry.strip().lower().rpartition(" ")
        if version and service.strip() in {SERVICE_TYPE, ""}:
            return version
        if service.split(" ")[0] == SERVICE_TYPE:
            return entry.strip()
    return ""


def headers(used: Version | None) -> list[tuple[str, str]]:
    """The headers of an answer that a version was looked for; without ``used``, none was found that we have."""
    answer = [
        ("Vary", HEADER),
        ("OpenStack-API-Minimum-Version", str(OLDEST)),
        ("OpenStack-API-Maximum-Version", str(NEWEST)),
    ]
    return answer if used is None else [*answer, (HEADER, f"{SERVICE_TYPE} {used}")]
