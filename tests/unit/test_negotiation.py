"""Which version two parties speak, and how errors travel within one process."""

from collections.abc import Sequence

import pytest

from accel.errors import ConductorRefused, ConductorUnavailable, DatabaseUnavailable, IncompatibleVersion, InvalidValue
from accel.model.report import Acknowledgement, Heartbeat, NodeReport
from accel.rpc.local import LocalConductor
from accel.rpc.negotiation import newest_common


@pytest.mark.parametrize(
    ("ours", "theirs", "spoken"),
    [
        (("1.0",), ["1.0"], "1.0"),
        (("1.10", "1.9"), ["1.9", "1.10"], "1.10"),
        (("2.0", "1.1", "1.0"), ["1.0", "1.1"], "1.1"),
        (("1.0",), ["3.0", "2.0", "1.0"], "1.0"),
    ],
)
def test_both_speak_the_newest_version_that_both_know(ours: Sequence[str], theirs: list[str], spoken: str) -> None:
    assert newest_common(ours, theirs) == spoken


@pytest.mark.parametrize("theirs", [[], ["9.9"]])
def test_without_a_common_version_they_do_not_talk(theirs: list[str]) -> None:
    with pytest.raises(IncompatibleVersion, match="upgrade the older side"):
        newest_common(("1.0",), theirs)


class Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def report(self, _report: NodeReport) -> Acknowledgement:
        raise self._error

    def heartbeat(self, _heartbeat: Heartbeat) -> Acknowledgement:
        raise self._error


HEARTBEAT = Heartbeat(node="node-1", boot_id="boot", sequence=1, content_hash="")


def test_what_the_conductor_takes_for_wrong_is_refused_with_its_code() -> None:
    with pytest.raises(ConductorRefused) as refusal:
        LocalConductor(Failing(InvalidValue("sequence", -1, "a number"))).heartbeat(HEARTBEAT)

    assert refusal.value.remote_code == "accel.invalid_value"


def test_what_is_away_may_come_back() -> None:
    with pytest.raises(ConductorUnavailable, match="it is away"):
        LocalConductor(Failing(DatabaseUnavailable("it is away"))).heartbeat(HEARTBEAT)
