"""Configuration objects know nothing of each other."""

from accel import conf as configuration


def test_what_is_set_in_one_configuration_is_not_set_in_another() -> None:
    changed, other = configuration.unread(), configuration.unread()
    for conf in (changed, other):
        conf([], default_config_files=[])
    changed.set_override("periodic_interval_seconds", 7, group="conductor")
    assert other.conductor.periodic_interval_seconds == 30
