"""The options of drivers are known to an agent that has not loaded them."""

import pytest

from accel.agent.driver_options import learnt
from accel.agent.nursery import Nursery
from accel.drivers import registry
from accel.errors import ConfigurationError


def test_they_are_the_same_as_of_a_driver_that_is_loaded() -> None:
    sources = {name: entry.value for name, entry in registry.installed().items() if registry.is_ours(entry)}

    options = learnt(Nursery(), sources)

    loaded = {name: registry.load_from(name, source).options for name, source in sources.items()}
    assert {name: [vars(one) for one in of] for name, of in options.items()} == {
        name: [vars(one) for one in of] for name, of in loaded.items()
    }


def test_a_driver_that_cannot_be_loaded_has_none() -> None:
    assert learnt(Nursery(), {"away": "a_module_that_is_not_there:Driver"}) == {"away": ()}


def test_a_driver_whose_options_cannot_be_told_is_named() -> None:
    with pytest.raises(ConfigurationError, match="the options of broken cannot be told"):
        learnt(Nursery(), {"broken": "os:abort"})
