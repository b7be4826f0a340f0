"""The personas: what rules are made of, and where a cloud with other roles says so once for all of them.

Keystone's roles imply one another: whoever is admin is manager, member and reader too. What is about a project is for
the roles in that very project; ``admin`` is the operator of the cloud, and ``service`` another service of it.
"""

from oslo_policy.policy import DocumentedRuleDefault, Operation, RuleDefault

SCOPES = ["project"]
"""Tokens of the system and of domains are for nothing here."""

ADMIN = "rule:admin"
PROJECT_READER_OR_ADMIN = "rule:project_reader or rule:admin"
ADMIN_OR_SERVICE = "rule:admin or rule:service"
PROJECT_MEMBER_OR_ADMIN = "rule:project_member or rule:admin"
PROJECT_MEMBER_OR_SERVICE = "rule:project_member or rule:service"
PROJECT_MANAGER_OR_ADMIN = "rule:project_manager or rule:admin"

_OF_PROJECT = "and project_id:%(project_id)s"

RULES = [
    RuleDefault("default", "!", description="What no rule is about is allowed to nobody."),
    RuleDefault("admin", "role:admin", description="The operator of the cloud."),
    RuleDefault("service", "role:service", description="Another service of the cloud, such as Nova."),
    RuleDefault("project_manager", f"role:manager {_OF_PROJECT}", description="Who manages the project."),
    RuleDefault("project_member", f"role:member {_OF_PROJECT}", description="Who works in the project."),
    RuleDefault("project_reader", f"role:reader {_OF_PROJECT}", description="Who may look at what the project has."),
]


def rule(name: str, check: str, description: str, *operations: str) -> DocumentedRuleDefault:
    """A rule about one act.

    :param name: as the table of routes has it: ``device:enable``
    :param check: who may, in the words of oslo.policy
    :param operations: method and path of each route that it is about: ``GET /v2/devices``
    """
    return DocumentedRuleDefault(
        name, check, description, [_operation(text) for text in operations], scope_types=SCOPES
    )


def _operation(text: str) -> Operation:
    method, path = text.split()
    return {"method": method, "path": path}
