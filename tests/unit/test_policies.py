"""Rules and routes belong together."""

import os
from collections import defaultdict
from pathlib import Path

import pytest
from oslo_context.context import RequestContext
from oslo_policy.policy import DocumentedRuleDefault, PolicyNotRegistered
from support.clocks import Seconds

from accel import conf as configuration
from accel.api.routes import ROUTES
from accel.errors import ConfigurationError
from accel.policies import list_rules
from accel.policies.enforcer import ABOUT, Policy, check_policy, make_enforcer

RULES = {rule.name: rule for rule in list_rules() if isinstance(rule, DocumentedRuleDefault)}


def _conf(directory: Path, policy: str) -> configuration.cfg.ConfigOpts:
    (directory / "policy.yaml").write_text(policy)
    (directory / "accel.conf").write_text("[oslo_policy]\npolicy_file = policy.yaml\n")
    return configuration.load([], prog="accel-api", default_config_files=[str(directory / "accel.conf")])


def test_every_route_has_a_rule_that_names_it_and_every_rule_a_route() -> None:
    routes = defaultdict(set)
    for route in ROUTES:
        if route.policy is not None:
            routes[route.policy].add((route.method, route.path))

    assert routes == {
        name: {(operation["method"], operation["path"]) for operation in rule.operations}
        for name, rule in RULES.items()
    }


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_every_rule_is_for_tokens_of_a_project(rule: DocumentedRuleDefault) -> None:
    assert rule.scope_types == ["project"]


def test_a_policy_file_changes_a_rule(tmp_path: Path) -> None:
    policy = Policy(make_enforcer(_conf(tmp_path, '"device:get_all": "rule:project_reader"\n')))
    reader = RequestContext(project_id="p", roles=["reader"])

    assert policy.allows("device:get_all", reader)
    assert not policy.allows("device:get_one", reader)


def test_an_answer_is_kept_for_whoever_is_the_same_in_all_that_rules_can_ask_for() -> None:
    asked = {*ABOUT, "roles", "service_roles"}

    assert asked == RequestContext().to_policy_values().keys()


def test_a_policy_file_is_read_again_within_a_second_of_its_change(tmp_path: Path) -> None:
    conf, clock = _conf(tmp_path, '"device:get_all": "!"\n'), Seconds()
    policy, admin = Policy(make_enforcer(conf), clock=clock), RequestContext(project_id="p", roles=["admin"])
    assert not policy.allows("device:get_all", admin)

    (tmp_path / "policy.yaml").write_text('"device:get_all": "role:admin"\n')
    os.utime(tmp_path / "policy.yaml", (2e9, 2e9))  # a clock of coarse steps may not show that time has passed
    clock.now += 1
    assert policy.allows("device:get_all", admin)


def test_all_rules_are_there_between_two_looks_at_the_files(tmp_path: Path) -> None:
    policy = Policy(make_enforcer(_conf(tmp_path, '"device:get_all": "!"\n')), clock=Seconds())
    admin = RequestContext(project_id="p", roles=["admin"])

    answers = [(policy.allows("device:get_all", admin), policy.allows("device:get_one", admin)) for _ in range(2)]
    assert answers == [(False, True)] * 2


def test_no_policy_file_lets_in_who_has_no_project(tmp_path: Path) -> None:
    policy = Policy(make_enforcer(_conf(tmp_path, '"device:get_all": "@"\n')))

    assert policy.allows("device:get_all", RequestContext(project_id="p"))
    assert not policy.allows("device:get_all", RequestContext(roles=["admin"]))
    assert not policy.allows("device:get_all", RequestContext(roles=["admin"], system_scope="all"))
    assert not policy.allows("device:get_all", RequestContext(roles=["admin"], domain_id="default"))


def test_what_no_rule_is_about_is_an_error_and_not_allowed(tmp_path: Path) -> None:
    policy = Policy(make_enforcer(_conf(tmp_path, "")))

    with pytest.raises(PolicyNotRegistered):
        policy.allows("device:nosuch", RequestContext(project_id="p", roles=["admin"]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"device:get_all": "rule:nosuch"', "names one that there is not"),
        ('"admin": "rule:admin"', "goes round in a circle"),
        ('"device:get_all": [', "while parsing"),
        ('"device:get_all": "(("', r"device:get_all: '\(\(' cannot be understood as a rule"),
        ('"device:get_al": "role:x"', "device:get_al: there is no such rule; device:get_all may be meant"),
        ('"device:nothing_of_this_kind": ""', "device:nothing_of_this_kind: there is no such rule"),
    ],
)
def test_a_mistake_in_the_policy_file_is_told_at_the_start(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"\[oslo_policy\] policy_file = policy.yaml: .*{said}"):
        check_policy(_conf(tmp_path, text))


def test_a_policy_may_have_rules_of_its_own_and_let_nobody_do_something(tmp_path: Path) -> None:
    check_policy(_conf(tmp_path, '"mine": "role:y"\n"node:get_all": "rule:mine"\n"event:get_all": "!"\n"job:lift": ""'))
