"""What the resources mean that pods of Kubernetes ask for."""

from oslo_config import cfg

from accel.errors import ConfigurationError, InvalidValue
from accel.placement.pod import Meanings, read_meanings


def configured_resources(conf: cfg.ConfigOpts) -> Meanings:
    """What each means by the configuration.

    :raises ConfigurationError: that cannot be understood
    """
    try:
        return read_meanings(conf.kubernetes.resource)
    except InvalidValue as error:
        raise ConfigurationError(f"[kubernetes] {error}") from error
