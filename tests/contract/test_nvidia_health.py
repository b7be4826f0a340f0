"""What NVML tells of the fitness of cards, with the real nvidia-ml-py on a stand-in for NVIDIA's library."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.nvml import Nvml, one_gpu

from accel.drivers.nvidia.xids import APPLICATION_XID, XID, Log, signals
from accel.model.device import Health
from accel.model.health import CALM, Signal

GPU = "GPU-6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a0001"
NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
BOOT = "6f1c5f1a-28b3-5d0b-b5ba-0c1a5a4a0001"


def card(more: str = "") -> str:
    return (
        "system driver=550.54.15 nvml=12.550.54.15 cuda=12040\n"
        f'gpu uuid={GPU} name="NVIDIA A100-SXM4-40GB" pci=0000:07:00.0 devid=0x20B010DE mem=42949672960 mig=0 {more}\n'
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with one GPU."""
    tree = one_gpu(tmp_path / "root")
    tree.write("proc/sys/kernel/random/boot_id", BOOT)
    return tree.root


def log_of(root: Path) -> Log:
    return Log.of(root / "var/lib/accel/acts", root / "proc")


def of(found: tuple[Signal, ...], source: str) -> Signal:
    (signal,) = [signal for signal in found if signal.source == source]
    return signal


# --- figures ---


def test_a_fit_card_says_so_with_its_figures(host_nvml: Nvml, root: Path) -> None:
    found = host_nvml.signals(root, card("temp=41 slowdown=93"))

    assert {signal.source: signal.value for signal in found} == {
        "nvml.ecc": Health.HEALTHY,
        "nvml.remapped_rows": Health.HEALTHY,
        "nvml.temperature": Health.HEALTHY,
        "nvml.xid": Health.UNKNOWN,
    }
    assert of(found, "nvml.temperature").text == "41 °C, slows down from 93 °C"
    assert of(found, "nvml.ecc").count == 0


@pytest.mark.parametrize(
    ("more", "source", "words"),
    [
        ("temp=95 slowdown=93", "nvml.temperature", "95 °C, slows down from 93 °C"),
        ("remapped=2 remap_pending=1", "nvml.remapped_rows", "2 after uncorrected ones; more wait for a reset"),
        ("remap_failed=1", "nvml.remapped_rows", "have the card replaced"),
    ],
)
def test_an_unfit_card_says_why(host_nvml: Nvml, root: Path, more: str, source: str, words: str) -> None:
    signal = of(host_nvml.signals(root, card(more)), source)

    assert signal.value is Health.UNHEALTHY
    assert words in signal.text


def test_errors_of_memory_are_counted(host_nvml: Nvml, root: Path) -> None:
    signal = of(host_nvml.signals(root, card("ecc=3")), "nvml.ecc")

    assert (signal.count, signal.value) == (3, Health.HEALTHY)


# --- Xids ---


def test_an_xid_is_heard_written_down_and_told_at_once(host_nvml: Nvml, root: Path) -> None:
    told = host_nvml.listened(root, card() + "event gpu=0 type=8 data=79\nevent gpu=0 type=8 data=13\n", events=2)

    assert told == 2
    cards = log_of(root).read()
    assert cards is not None
    assert {source: (heard.count, heard.last) for source, heard in cards[GPU].items()} == {
        XID: (1, 79),
        APPLICATION_XID: (1, 13),
    }
    found = host_nvml.signals(root, card())
    assert of(found, XID).value is Health.UNHEALTHY
    assert "the last Xid 79 (fallen off the bus)" in of(found, XID).text
    assert of(found, APPLICATION_XID).value is Health.HEALTHY


@pytest.mark.parametrize("xid", [13, 31, 43, 45, 68, 109])
def test_what_an_application_did_says_nothing_of_the_card(root: Path, xid: int) -> None:
    log_of(root).add(GPU, xid, NOW)

    found = {signal.source: signal.value for signal in signals(log_of(root), GPU, NOW)}

    assert found == {XID: Health.HEALTHY, APPLICATION_XID: Health.HEALTHY}


def test_a_card_is_fit_again_when_it_has_been_calm_for_a_while(root: Path) -> None:
    log_of(root).add(GPU, 79, NOW)

    def value(after: timedelta) -> Health:
        return of(tuple(signals(log_of(root), GPU, NOW + after)), XID).value

    assert value(CALM - timedelta(seconds=1)) is Health.UNHEALTHY
    assert value(CALM) is Health.HEALTHY


def test_what_was_before_the_host_was_started_is_forgotten(root: Path) -> None:
    log_of(root).add(GPU, 79, NOW)
    (root / "proc/sys/kernel/random/boot_id").write_text("another")

    (signal,) = signals(log_of(root), GPU, NOW)

    assert (signal.value, signal.count) == (Health.UNKNOWN, None)


def test_each_card_has_its_own(root: Path) -> None:
    log_of(root).add(GPU, 79, NOW)

    (signal,) = signals(log_of(root), "GPU-other", NOW)

    assert (signal.value, signal.count, signal.text) == (Health.HEALTHY, 0, "none since the agent listens")
