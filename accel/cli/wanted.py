"""What a command asks for: the options that say it, the same for every command, and the question that they make."""

import argparse
from collections.abc import Iterable

from accel.cli import arguments, refs
from accel.cli.client import Client, Item
from accel.cli.errors import WrongUse
from accel.cli.human import plural

_OF_A_GROUP = ("type", "model", "resource_class", "trait", "forbid", "any_of", "where")
"""The options that say what an accelerator is, as argparse names them."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is wanted and on which nodes."""
    what = parser.add_argument_group("what is wanted")
    what.add_argument("--profile", metavar="PROFILE", help="what this device profile asks for: its name or UUID")
    what.add_argument("--type", metavar="TYPE", help="GPU, FPGA, NVME …")
    what.add_argument("--model", metavar="TEXT", help="models with this in their names")
    what.add_argument("--class", dest="resource_class", metavar="CLASS", help="a resource class: PGPU, CUSTOM_NVME …")
    what.add_argument("--count", type=arguments.positive, metavar="NUMBER", help="how many on a node (default: 1)")
    what.add_argument(
        "--near",
        metavar="HOW",
        choices=("node", "numa", "switch", "linked", "device"),
        help="what they share: node (the default), numa, switch, device, or linked by NVLink or XGMI",
    )
    what.add_argument("--trait", action="append", metavar="TRAIT", help="each has this trait; can be repeated")
    what.add_argument("--forbid", action="append", metavar="TRAIT", help="none has this trait; can be repeated")
    what.add_argument("--any-of", action="append", metavar="TRAIT,TRAIT", help="each has one of these at least")
    what.add_argument("--where", action="append", metavar="COMPARISON", help='such as "memory >= 40GiB"')
    where = parser.add_argument_group("on which nodes")
    where.add_argument("--nodes", type=arguments.positive, metavar="NUMBER", help="so many nodes, the same on each")
    where.add_argument("--label", action="append", metavar="KEY=VALUE", help="nodes with this label, or rack=RACK")
    where.add_argument("--exclude", action="append", metavar="NODE", help="not this node; can be repeated")


def question(parsed_args: argparse.Namespace, client: Client) -> Item:
    """The body that asks for it.

    :raises WrongUse: nothing is asked for, or a profile and something beside it
    :raises NothingFound: there is no such profile
    """
    return {**_what(parsed_args, client), **_where(parsed_args)}


def of_profile(name: str, client: Client) -> Item:
    """The body that asks for a device profile.

    :raises NothingFound: there is no such profile
    """
    return {"device_profile_name": refs.profile(client, name)["name"]}


def text(body: Item) -> str:
    """What a body asks for, in a few words."""
    groups = body.get("groups", ())
    what = f"profile {body['device_profile_name']}" if not groups else "; ".join(map(_group_text, groups))
    return what + (f" on each of {plural(body['nodes'], 'node')}" if body.get("nodes", 1) > 1 else "")


def _what(parsed_args: argparse.Namespace, client: Client) -> Item:
    given = [name for name in _OF_A_GROUP if getattr(parsed_args, name)]
    details = [*given, *(name for name in ("count", "near") if getattr(parsed_args, name))]
    if parsed_args.profile:
        if details:
            options = ", ".join(map(_option, details))
            raise WrongUse(f"--profile says all that is wanted; leave out {options}")
        return of_profile(parsed_args.profile, client)
    if not given:
        raise WrongUse("say what is wanted: --profile PROFILE, or --type, --model, --class, --trait, --where")
    return {"groups": [_group(parsed_args)]}


def _group(parsed_args: argparse.Namespace) -> Item:
    count = parsed_args.count or 1
    amount = {"resources": {parsed_args.resource_class: count}} if parsed_args.resource_class else {"count": count}
    conditions = [
        *([f"type = {parsed_args.type}"] if parsed_args.type else []),
        *([f"model ~ {parsed_args.model}"] if parsed_args.model else []),
        *(parsed_args.where or []),
    ]
    rest = {
        "required": parsed_args.trait,
        "forbidden": parsed_args.forbid,
        "any_of": [_names(entry) for entry in parsed_args.any_of or []],
        "where": conditions,
        "near": parsed_args.near,
    }
    return {**amount, **{key: value for key, value in rest.items() if value}}


def _where(parsed_args: argparse.Namespace) -> Item:
    rest = {
        "nodes": parsed_args.nodes,
        "labels": dict(_pairs("--label", parsed_args.label or [])),
        "exclude_nodes": parsed_args.exclude,
    }
    return {key: value for key, value in rest.items() if value}


def _names(entry: str) -> list[str]:
    return [name.strip() for name in entry.split(",") if name.strip()]


def _pairs(option: str, entries: Iterable[str]) -> Iterable[tuple[str, str]]:
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not key.strip() or not equals:
            raise WrongUse(f"{option} {entry}: write KEY=VALUE")
        yield key.strip(), value.strip()


def _option(name: str) -> str:
    return "--class" if name == "resource_class" else f"--{name.replace('_', '-')}"


def _group_text(group: Item) -> str:
    resources = group.get("resources")
    amounts = [f"{count} {name}" for name, count in resources.items()] if resources else [_any(group.get("count", 1))]
    about = [
        *group.get("where", ()),
        *(f"trait {name}" for name in group.get("required", ())),
        *(f"no {name}" for name in group.get("forbidden", ())),
        *(f"any of {', '.join(names)}" for names in group.get("any_of", ())),
        *([f"near: {group['near']}"] if "near" in group else []),
    ]
    return " and ".join(amounts) + (f" ({', '.join(about)})" if about else "")


def _any(count: int) -> str:
    return plural(count, "accelerator")
