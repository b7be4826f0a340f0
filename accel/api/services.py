"""What handlers work with, put together once."""

from dataclasses import dataclass, field

from accel.api.claiming import Claiming
from accel.api.imaging import Imaging
from accel.api.patience import Patience
from accel.api.placing import Placing
from accel.db.engine import Database
from accel.placement.pod import Meanings


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Where things are kept, how they are claimed, where they fit, what images may be like, what pods ask for."""

    database: Database
    claiming: Claiming
    placing: Placing
    imaging: Imaging
    patience: Patience
    pod_resources: Meanings = field(default_factory=dict)
