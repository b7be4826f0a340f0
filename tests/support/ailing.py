"""Devices that ail in one way each, and what the API finds of them."""

import json

from support.api import Client
from support.inventory import BEGIN, Inventory

AT = "2026-11-21T03:45:13+00:00"


QUERIES = [
    ("", ["well", "hot", "broken", "asleep", "gone"]),
    ("?complaints=true", ["hot", "broken", "asleep", "gone"]),
    ("?complaints=false", ["well"]),
    ("?value=unknown", ["asleep"]),
    ("?value=unhealthy", ["hot", "gone"]),
    ("?source=pcie.aer", ["well", "hot"]),
    ("?source=temperature&health=unhealthy", ["hot"]),
    ("?node=beta&complaints=true&limit=2", ["broken", "asleep"]),
    ("?type=GPU", ["hot"]),
    ("?source=nothing.of_this", []),
]
"""What is asked for, and the devices that are found."""


def signals(**values: str) -> str:
    """The text of signals, as it is recorded: value by source, ``pcie_aer`` for ``pcie.aer``."""
    known = [
        {"source": source.replace("_", "."), "value": value, "text": f"{source} says so", "count": None, "at": AT}
        for source, value in values.items()
    ]
    return json.dumps(known, separators=(",", ":"))


def populate(inventory: Inventory) -> None:
    """Five devices on two nodes: well, ailing by a signal, ailing by the driver's word, not wholly known, lost."""
    alpha, beta = inventory.node("alpha"), inventory.node("beta")
    inventory.device(alpha, identity="well", signals_text=signals(pcie_aer="healthy", temperature="healthy"))
    hot = {"health": "unhealthy", "reason": "temperature: too hot", "type": "GPU"}
    inventory.device(alpha, identity="hot", signals_text=signals(pcie_aer="healthy", temperature="unhealthy"), **hot)
    inventory.device(beta, identity="broken", health="unhealthy", reason="it runs the image of the factory")
    inventory.device(beta, identity="asleep", signals_text=signals(pcie_link="unknown"))
    gone = {"presence": "lost", "health": "unknown", "reason": "not reported any more", "lost_at": BEGIN}
    inventory.device(beta, identity="gone", signals_text=signals(temperature="unhealthy"), **gone)


def found(api: Client, query: str = "") -> list[str]:
    """The identities of the devices of a list, by their UUIDs."""
    identities = {device["uuid"]: device["identity"] for device in api.get("/v2/devices")["devices"]}
    return [identities[one["uuid"]] for one in api.get(f"/v2/health{query}")["health"]]
