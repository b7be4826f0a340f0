"""PCI functions in a directory, as the kernel shows them in sysfs."""

from pathlib import Path

ROOT_PORT = "pci0000:00/0000:00:01.0"


def add_function(
    root: Path,
    address: str,
    *,
    below: str = ROOT_PORT,
    ids: str = "10de:20b0",
    class_code: str = "0x030200",
    driver: str | None = "nvidia",
    numa_node: int = 0,
) -> Path:
    """Add a function below the given bridges; its directory is returned."""
    directory = root / "sys/devices" / below / address
    directory.mkdir(parents=True)
    vendor, _, product = ids.partition(":")
    attributes = {"vendor": f"0x{vendor}", "device": f"0x{product}", "class": class_code, "numa_node": str(numa_node)}
    for name, text in attributes.items():
        (directory / name).write_text(f"{text}\n")
    if driver is not None:
        driver_directory = root / "sys/bus/pci/drivers" / driver
        driver_directory.mkdir(parents=True, exist_ok=True)
        (directory / "driver").symlink_to(driver_directory)
    bus = root / "sys/bus/pci/devices"
    bus.mkdir(parents=True, exist_ok=True)
    (bus / address).symlink_to(Path("../../../devices") / below / address)
    return directory


def add_virtual_function(root: Path, physical: Path, address: str, *, number: int, below: str = ROOT_PORT) -> Path:
    """Add a virtual function of a physical one, with the links from each to the other."""
    directory = add_function(root, address, below=below, driver=None)
    (directory / "physfn").symlink_to(physical)
    (physical / f"virtfn{number}").symlink_to(directory)
    return directory
