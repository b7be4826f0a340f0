"""Which work a policy wants for which handles."""

import pytest

from accel.errors import InvalidValue
from accel.model.steps import WorkPolicy


@pytest.mark.parametrize(
    ("scrub", "device_type", "kind", "method"),
    [
        ({"NVME": "best"}, "NVME", "card", "best"),
        ({"NVME": "best"}, "NVME", "namespace", "best"),
        ({"NVME/card": "best"}, "NVME", "namespace", ""),
        ({"NVME": "zero", "NVME/card": "best"}, "NVME", "card", "best"),
        ({"GPU": "reset"}, "GPU", "card", "reset"),
        ({"GPU": "reset"}, "GPU", "mig", ""),
        ({"GPU": "reset", "GPU/mig": "zero"}, "GPU", "mig", "zero"),
        ({"GPU/card": "reset"}, "GPU", "card", "reset"),
        ({"GPU": "reset"}, "FPGA", "card", ""),
        ({}, "GPU", "card", ""),
    ],
)
def test_how_a_part_is_scrubbed(scrub: dict[str, str], device_type: str, kind: str, method: str) -> None:
    policy = WorkPolicy.read([], scrub)

    assert policy.scrub_method(device_type, kind) == method
    assert ("scrub" in policy.steps("PCI", device_type, kind, {})) is bool(method)


@pytest.mark.parametrize(
    ("scrub", "said"),
    [
        ({"GPU/mig": "reset"}, "a reset takes the whole card; write GPU/card:reset"),
        ({"GPU": ""}, "GPU/card:reset, for example"),
        ({"GPUS": "reset"}, "made of one of GPU,"),
        ({"GPU/cards": "reset"}, "made of one of card,"),
    ],
)
def test_what_can_never_be_done_is_refused_with_what_is_right(scrub: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        WorkPolicy.read([], scrub)
