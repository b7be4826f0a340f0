"""Every card has one driver."""

from dataclasses import replace

from accel.agent.merge import merge
from accel.model.address import PciAddress
from accel.model.device import Deployable, DeployableKind, Device, DeviceType, pci_handle, weak_identity
from accel.model.report import DriverReport, Failure, FailureKind

SLOT = PciAddress(0, 0x3B, 0, 0)
OTHER_SLOT = PciAddress(0, 0x5E, 0, 0)
VIRTUAL_FUNCTION = PciAddress(0, 0x3B, 0, 4)
CRASHED = Failure(kind=FailureKind.CRASHED, message="it crashed")


def device(identity: str = "", *, address: PciAddress | None = SLOT, hands_out: PciAddress | None = None) -> Device:
    handles = () if hands_out is None else (pci_handle(hands_out),)
    part = Deployable(
        name=f"node-1_{address}", kind=DeployableKind.CARD, num_accelerators=len(handles), handles=handles
    )
    name = identity or (weak_identity(address) if address else "?")
    return Device(
        identity=name,
        type=DeviceType.GPU,
        vendor="10de",
        product="20b0",
        model="A100",
        address=address,
        deployables=(part,),
    )


def answer(driver: str, *devices: Device) -> DriverReport:
    return DriverReport(driver=driver, devices=devices)


def test_a_card_at_the_same_address_belongs_to_the_driver_that_is_enabled_first() -> None:
    merged = merge([answer("nvidia", device("GPU-1")), answer("pci", device())], {})

    assert merged.reports == (answer("nvidia", device("GPU-1")), answer("pci"))


def test_a_card_with_the_same_identity_belongs_to_the_driver_that_is_enabled_first() -> None:
    merged = merge([answer("a", device("serial:7", address=None)), answer("b", device("serial:7"))], {})

    assert [len(report.devices) for report in merged.reports] == [1, 0]


def test_a_function_that_an_earlier_driver_hands_out_is_no_device_of_a_later_one() -> None:
    whole = device("GPU-1", hands_out=VIRTUAL_FUNCTION)

    merged = merge([answer("nvidia", whole), answer("pci", device(address=VIRTUAL_FUNCTION))], {})

    assert merged.reports == (answer("nvidia", whole), answer("pci"))


def test_a_function_that_an_earlier_driver_names_as_the_cards_own_is_no_device_of_a_later_one() -> None:
    second = PciAddress(0, 0x3B, 0, 1)
    board = replace(device("serial:7"), std_board_info={"functions": f"{SLOT}, {second}"})

    merged = merge([answer("fpga", board), answer("pci", device(address=second))], {})

    assert merged.reports == (answer("fpga", board), answer("pci"))


def test_what_an_earlier_driver_has_is_not_handed_out_by_a_later_one_as_a_part_of_its_card() -> None:
    pool = device("GPU-1", hands_out=VIRTUAL_FUNCTION)

    merged = merge([answer("mdev", device(address=VIRTUAL_FUNCTION)), answer("nvidia", pool)], {})

    (left,) = merged.reports[1].devices
    assert (left.identity, left.deployables[0].handles, left.deployables[0].num_accelerators) == ("GPU-1", (), 0)


def test_handles_that_go_to_one_workload_together_are_withdrawn_together() -> None:
    both = tuple(map(pci_handle, (SLOT, VIRTUAL_FUNCTION)))
    part = Deployable(name="node-1_board", kind=DeployableKind.CARD, num_accelerators=1, handles=both)
    board = replace(device("serial:7"), deployables=(part,))

    merged = merge([answer("mdev", device(address=VIRTUAL_FUNCTION)), answer("fpga", board)], {})

    assert merged.reports[1].devices[0].deployables[0].handles == ()


def test_different_cards_stay_with_their_drivers() -> None:
    answers = (answer("nvidia", device("GPU-1")), answer("pci", device(address=OTHER_SLOT)))

    assert merge(answers, {}).reports == answers


def test_a_driver_that_fails_keeps_the_cards_it_had() -> None:
    before = merge([answer("nvidia", device("GPU-1")), answer("pci", device())], {})
    failing = DriverReport(driver="nvidia", failure=CRASHED)

    still_failing = merge([failing, answer("pci", device())], merge([failing], before.claims).claims)

    assert still_failing.reports == (failing, answer("pci"))


def test_a_driver_that_answers_without_a_card_gives_it_up() -> None:
    before = merge([answer("nvidia", device("GPU-1")), answer("pci")], {})

    assert merge([answer("nvidia"), answer("pci", device())], before.claims).reports[1].devices == (device(),)


def test_the_order_in_which_a_driver_finds_its_cards_does_not_matter() -> None:
    one, two = device("GPU-1"), device("GPU-2", address=OTHER_SLOT)

    assert merge([answer("nvidia", two, one)], {}) == merge([answer("nvidia", one, two)], {})
