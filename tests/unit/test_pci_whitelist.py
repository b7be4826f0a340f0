"""The whitelist of the pci driver: what its entries admit, and what is said of a wrong one."""

import json
from pathlib import Path

import pytest
from oslo_config import cfg

from accel.drivers.pci import PciDriver
from accel.drivers.pci.whitelist import parse_entries
from accel.drivers.registry import option_values
from accel.drivers.sysfs import pci_functions
from accel.errors import ConfigurationError, InvalidValue
from accel.testing.host_tree import HostTree, PciRow

ADDRESSES = ("0000:0a:00.0", "0000:0a:00.1", "0000:0a:01.0", "0000:0b:00.0", "10000:0a:00.0")


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    tree = HostTree(tmp_path)
    for address in ADDRESSES:
        tree.pci_function(PciRow(address=address, vendor="8086", product="0b25"))
    tree.pci_function(PciRow(address="0000:0c:00.0", vendor="15b3", product="101e"))
    tree.link("sys/class/net/eth0/device", "sys/devices/pci0000:0c/0000:0c:00.0")
    return tree


@pytest.mark.parametrize(
    ("entry", "admitted"),
    [
        ({"vendor_id": "15b3"}, ["0000:0c:00.0"]),
        ({"vendor_id": "15B3", "product_id": "101E"}, ["0000:0c:00.0"]),
        ({"vendor_id": "15b3", "product_id": "0b25"}, []),
        ({"vendor_id": "*", "product_id": "b25"}, list(ADDRESSES)),
        ({"address": "0000:0a:00.1"}, ["0000:0a:00.1"]),
        ({"address": "0a:00.*"}, ["0000:0a:00.0", "0000:0a:00.1", "10000:0a:00.0"]),
        ({"address": "*:0a:00.0"}, ["0000:0a:00.0", "10000:0a:00.0"]),
        ({"address": "10000:*:*.*"}, ["10000:0a:00.0"]),
        ({"address": "1000:*:*.*"}, []),
        ({"address": ":01."}, ["0000:0a:01.0"]),
        ({"address": "0:a:0.0"}, ["0000:0a:00.0"]),
        ({"address": {"bus": "0[bc]"}}, ["0000:0b:00.0", "0000:0c:00.0"]),
        ({"address": {"domain": "0000", "bus": "0a", "slot": "00", "function": "[0-1]"}}, list(ADDRESSES[:2])),
        ({"vendor_id": "8086", "address": {"domain": "1"}}, ["10000:0a:00.0"]),
        ({"devname": "eth0"}, ["0000:0c:00.0"]),
        ({"devname": "eth9"}, []),
        ([{"address": "0000:0b:00.0"}, {"devname": "eth0"}], ["0000:0b:00.0", "0000:0c:00.0"]),
        ([], []),
    ],
)
def test_all_that_an_entry_says_must_hold(tree: HostTree, entry: object, admitted: list[str]) -> None:
    entries = parse_entries(json.dumps(entry))
    functions = pci_functions(tree.host())
    found = [str(f.address) for f in functions if any(entry.admits(tree.host(), f) for entry in entries)]
    assert found == admitted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{vendor_id: 8086}", "entry: '{vendor_id: 8086}' is not JSON such as"),
        ('"8086"', "entry: '8086' is not a JSON object, or a list of them"),
        ('[{"vendor_id": "8086"}, 7]', "entry[1]: 7 is not a JSON object"),
        ('{"vendor_id": 8086}', "entry.vendor_id: 8086 is not a text of hex digits"),
        ('{"vendor_id": "0x8086"}', "entry.vendor_id: '0x8086' is not a hexadecimal number without 0x from 0 to ffff"),
        ('{"product_id": "12345"}', "entry.product_id: '12345' is not a hexadecimal number without 0x from 0 to ffff"),
        ('{"product": "0b25"}', "entry.product: '0b25' is not known here: an entry has vendor_id, product_id, address"),
        ('{"address": "0000:00:20.0"}', "entry.address.slot: '20' is not a hexadecimal number without 0x from 0 to 1f"),
        ('{"address": "00:00.8"}', "entry.address.function: '8' is not a hexadecimal number without 0x from 0 to 7"),
        ('{"address": "0:0:0:0.0"}', "entry.address: '0:0:0:0.0' is not an address of domain:bus:slot.function"),
        ('{"address": 7}', 'entry.address: 7 is not an address such as "*:0a:00.*", or an object of regular'),
        ('{"address": {"bus": "("}}', "entry.address.bus: '(' is not a regular expression"),
        ('{"address": {"bus": 10}}', "entry.address.bus: 10 is not a regular expression"),
        ('{"address": {"device": "00"}}', "entry.address.device: '00' is not known here: an address has domain, bus"),
        ('{"address": "*:*:*.*", "devname": "eth0"}', "entry.devname: 'eth0' is not allowed beside address"),
        ('{"devname": "../eth0"}', "entry.devname: '../eth0' is not the name of a network interface"),
        ('{"devname": ""}', "entry.devname: '' is not the name of a network interface"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_right(text: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_entries(text)
    assert message in str(refused.value)


def test_a_wrong_entry_in_the_configuration_stops_the_service(tmp_path: Path) -> None:
    file = tmp_path / "accel.conf"
    file.write_text(
        '[pci]\npassthrough_whitelist = {"vendor_id": "8086"}\npassthrough_whitelist = {"vendor_id": "0x8086"}\n'
    )
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(file)], default_config_dirs=[])
    with pytest.raises(ConfigurationError) as stopped:
        option_values(conf, "pci", PciDriver.options)
    message = str(stopped.value)
    assert "passthrough_whitelist" in message
    assert str(file) in message
    assert "entry.vendor_id: '0x8086' is not a hexadecimal number without 0x from 0 to ffff" in message
