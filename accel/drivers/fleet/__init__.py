"""Fleets that exist in a file only: nodes, racks, cards and links described in YAML, played as if they were real.

``catalogue`` knows well-known cards, ``document`` reads YAML and knows where everything stands in the file, ``schema``
gives the file its meaning, ``layout`` puts the cards on PCI buses, ``node`` turns a node into what an agent reports.
The same file gives the same devices, with the same addresses and UUIDs, everywhere and always.
"""

from accel.drivers.fleet.fleet import Fleet, FleetFile, load, of_document
from accel.drivers.fleet.node import SimulatedNode

__all__ = ["Fleet", "FleetFile", "SimulatedNode", "load", "of_document"]
