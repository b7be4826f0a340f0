"""Files with images for FPGAs, as the makers' tools write them, but for the bitstream, which is a few bytes."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

BITSTREAM = b"\x00\xff\x55\xaa" * 16
_GBS_MAGIC = b"XeonFPGA" + bytes([0xB7]) + b"GBSv001"
_BITSTREAM, _MCS, _PARTITION_METADATA = 0, 12, 20


def gbs_metadata(interface: str, *functions: str) -> dict[str, object]:
    """The metadata of a green bitstream, with ids as the packager writes them: with dashes."""
    clusters = [
        {"total-contexts": 1, "name": f"afu_{number}", "accelerator-type-uuid": str(UUID(function))}
        for number, function in enumerate(functions)
    ]
    return {
        "version": 1,
        "platform-name": "DCP",
        "afu-image": {
            "clock-frequency-high": 312,
            "clock-frequency-low": 156,
            "power": 50,
            "interface-uuid": str(UUID(interface)),
            "magic-no": 488605312,
            "accelerator-clusters": clusters,
        },
    }


def gbs(interface: str, *functions: str, signed: bool = False) -> bytes:
    """A green bitstream for a region, with its functions."""
    return gbs_of(json.dumps(gbs_metadata(interface, *functions)).encode(), signed=signed)


def gbs_of(metadata: bytes, *, signed: bool = False) -> bytes:
    """A green bitstream with these metadata, whatever they are."""
    content = _GBS_MAGIC + struct.pack("<I", len(metadata)) + metadata + BITSTREAM
    return signed_by_intel(content, kind=2) if signed else content


def signed_by_intel(content: bytes, *, kind: int) -> bytes:
    """What Intel's signing tool makes of a file: two blocks in front."""
    return struct.pack("<IIII", 0xB6EAFD19, len(content), kind, 0).ljust(1024, b"\0") + content


def xclbin(
    image_id: str,
    *,
    interfaces: Sequence[str] = (),
    platform: str = "xilinx:u250:gen3x16_xdma_shell:4.1",
    platform_time: int = 0,
    is_shell: bool = False,
) -> bytes:
    """A container for the user's region, or of a shell to flash."""
    sections = [(_MCS if is_shell else _BITSTREAM, BITSTREAM)]
    if interfaces:
        sections.append((_PARTITION_METADATA, partition_metadata(interfaces)))
    return axlf(image_id, sections, platform=platform, platform_time=platform_time)


def axlf(
    image_id: str,
    sections: Sequence[tuple[int, bytes]],
    *,
    platform: str = "xilinx:u250:gen3x16_xdma_shell:4.1",
    platform_time: int = 0,
    interface: str = "0" * 32,
) -> bytes:
    """A container with these sections, of kind and content."""
    at = 456 + 40 * len(sections)
    table, content = b"", b""
    for kind, section in sections:
        table += struct.pack("<I16s4xQQ", kind, b"section", at + len(content), len(section))
        content += section.ljust(-(-len(section) // 8) * 8, b"\0")
    header = struct.pack("<QQQHBBHH", at + len(content), 1_700_000_000, platform_time, 7, 2, 16, 1, 0)
    header += UUID(interface).bytes + platform.encode().ljust(64, b"\0") + UUID(image_id).bytes + b"\0" * 16
    start = b"xclbin2\0" + struct.pack("<i", -1) + b"\xff" * 28 + b"\0" * 256 + struct.pack("<Q", 1)
    return start + header + struct.pack("<I4x", len(sections)) + table + content


def partition_metadata(interfaces: Iterable[str], logic: str = "f" * 32) -> bytes:
    """The device tree that says for what a partition was built."""
    nodes = {f"@interface_{number}": {"interface_uuid": interface} for number, interface in enumerate(interfaces)}
    return device_tree({"logic_uuid": logic, "interfaces": nodes})


def device_tree(root: Mapping[str, object]) -> bytes:
    """A flattened device tree: a mapping is a node, anything else is a property with a text."""
    names: dict[str, int] = {}
    tokens = _node("", root, names) + struct.pack(">I", 9)
    texts = b"".join(name.encode() + b"\0" for name in names)
    at = 40 + 16
    sizes = (at + len(tokens) + len(texts), at, at + len(tokens), 40, 17, 16, 0, len(texts), len(tokens))
    return struct.pack(">10I", 0xD00DFEED, *sizes) + b"\0" * 16 + tokens + texts


def _node(name: str, node: Mapping[str, object], names: dict[str, int]) -> bytes:
    tokens = struct.pack(">I", 1) + _padded(name.encode() + b"\0")
    for key, value in node.items():
        if isinstance(value, Mapping):
            tokens += _node(key, value, names)
        else:
            names.setdefault(key, sum(len(other) + 1 for other in names))
            text = str(value).encode() + b"\0"
            tokens += struct.pack(">III", 3, len(text), names[key]) + _padded(text)
    return tokens + struct.pack(">I", 2)


def _padded(text: bytes) -> bytes:
    return text.ljust(-(-len(text) // 4) * 4, b"\0")
