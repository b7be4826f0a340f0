"""Configuration: one module per option group. The config object is made here and passed in; nothing is global."""

import copy
from collections.abc import Sequence

from oslo_config import cfg
from oslo_log import log

from accel.conf import checks, opts
from accel.errors import ConfigurationError


def load(argv: Sequence[str], *, prog: str, default_config_files: list[str] | None = None) -> cfg.ConfigOpts:
    """Read command line and configuration files into a fresh object with all groups of accel registered.

    :param argv: the arguments after the program's name
    :param prog: the program's name, for the usage text
    :param default_config_files: files to read unless ``--config-file`` says otherwise; None looks for accel.conf in
        ``~/.accel``, ``~``, ``/etc/accel`` and ``/etc``
    :raises ConfigurationError: a file is missing or broken, names an option that there is not, or has a value for one
        that it cannot have
    """
    conf = unread()
    try:
        conf(list(argv), project="accel", prog=prog, default_config_files=default_config_files)
    except cfg.Error as error:
        raise ConfigurationError(str(error)) from error
    checks.check_names(conf, _names())
    checks.check_values(conf)
    return conf


def unread() -> cfg.ConfigOpts:
    """A fresh object that knows all groups of accel and has read nothing yet."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    for group, options in opts.list_opts():
        # A group remembers what is set in it, and registering copies it but not its memory.
        conf.register_opts(options, group=None if group == "DEFAULT" else copy.deepcopy(group))
    return conf


def _names() -> dict[str, set[str]]:
    """Our groups, with what their options are called in files. What is in DEFAULT is others', too."""
    groups = [(group, options) for group, options in opts.list_opts() if isinstance(group, cfg.OptGroup)]
    return {
        group.name: {name for option in options for name in (option.name, option.dest)} for group, options in groups
    }
