"""What handlers work with, put together once."""

from dataclasses import dataclass

from accel.api.claiming import Claiming
from accel.api.placing import Placing
from accel.db.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Where things are kept, how they are claimed, and where they fit."""

    database: Database
    claiming: Claiming
    placing: Placing
