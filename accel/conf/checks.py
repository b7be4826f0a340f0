"""Mistakes in files of options, told when a service starts: not when it first needs an option, nor never.

oslo.config looks at a value when it is asked for, and at a name that nobody asks for not at all.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg

from accel.errors import ConfigurationError

_OF_PLUGINS = "auth_type"
"""A group with this option has others of a plugin of keystoneauth, whose names nobody knows yet."""
_REFUSED = re.compile(r"Value for option \S+ from LocationInfo\(.*detail='(?P<place>.*)'\) is not valid: (?P<why>.*)")
_NO_URL = re.compile(r"\('(?P<why>[^']*)', URIReference\(.*")
_NO_NUMBER = re.compile(
    r"invalid literal for int\(\) with base 10: (?P<value>.*)|could not convert .* float: (?P<text>.*)"
)


def check_values(conf: cfg.ConfigOpts) -> None:
    """Look at the value of every option that is known by now.

    :raises ConfigurationError: one has a value that it cannot have
    """
    for name in conf:
        found = read(conf, name)
        if isinstance(found, cfg.ConfigOpts.GroupAttr):
            for option in found:
                read(found, option, group=name)


def read(values: Mapping[str, Any], name: str, *, group: str = "DEFAULT") -> Any:
    """The value of one option.

    :param values: its group, or the object of all options for one of the group DEFAULT
    :raises ConfigurationError: the text says which option is wrong, what is wrong with it and where it is set
    """
    try:
        return values[name]
    except cfg.Error as error:
        raise ConfigurationError(f"[{group}] {name}: {_why(str(error))}") from error


def _why(text: str) -> str:
    refused = _REFUSED.fullmatch(text)
    if refused is None:
        return text
    why, place = refused["why"], refused["place"]
    if number := _NO_NUMBER.fullmatch(why):
        why = f"{number['value'] or number['text']} is not a {'whole ' if number['value'] else ''}number"
    elif url := _NO_URL.fullmatch(why):
        why = f"this is no URL: {url['why']}"
    return f"{why[:1].lower()}{why[1:]}; it is set in {place}"


def check_names(conf: cfg.ConfigOpts, groups: Mapping[str, set[str]]) -> None:
    """Look for options in our groups that there are not.

    :param groups: our groups, by name, with the names of their options
    :raises ConfigurationError: there is one; the text says what it may have been meant to be
    """
    for path in _files(conf):
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(str(path), sections).parse()
        for group, known in groups.items():
            for name in sections.get(group, {}) if _OF_PLUGINS not in known else ():
                if name not in known:
                    raise ConfigurationError(
                        f"[{group}] {name}: there is no such option{_meant(name, known)}; see {path}"
                    )


def _files(conf: cfg.ConfigOpts) -> Iterator[Path]:
    yield from map(Path, conf.config_file or ())
    for directory in conf.config_dir or ():
        yield from sorted(Path(directory).glob("*.conf"))


def _meant(name: str, known: set[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - who makes no mistake does not need it

    near = get_close_matches(name, sorted(known), n=1)
    return f"; {near[0]} may be meant" if near else ""
