"""Attributes by their meaning: resource class, traits, figures."""

import re
from collections.abc import Iterable

from accel.model.device import Attribute

RESOURCE_CLASS_KEY = "rc"
TRAIT_KEY_PREFIX = "trait"


def resource_class(name: str) -> Attribute:
    """The resource class that OpenStack Placement counts the deployable under: ``PGPU``, ``FPGA``, ``CUSTOM_…``."""
    return Attribute(key=RESOURCE_CLASS_KEY, value=name)


def traits(names: Iterable[str]) -> tuple[Attribute, ...]:
    """One attribute per trait, keyed ``traits1``, ``traits2`` … in the order given."""
    return tuple(
        Attribute(key=f"{TRAIT_KEY_PREFIX}s{number}", value=name) for number, name in enumerate(names, start=1)
    )


def custom_trait(*words: str) -> str:
    """A custom trait from any text: upper case, everything that Placement does not allow replaced by ``_``."""
    return "CUSTOM_" + re.sub(r"[^A-Z0-9]+", "_", "_".join(words).upper()).strip("_")
