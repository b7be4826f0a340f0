"""The names that OpenStack has agreed on for traits and resource classes."""

import os_resource_classes
import os_traits

from accel.model.profile import Vocabulary

STANDARD = Vocabulary(
    traits=frozenset(os_traits.get_traits()), resource_classes=frozenset(os_resource_classes.STANDARDS)
)
