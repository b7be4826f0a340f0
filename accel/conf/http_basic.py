"""Option group ``http_basic``: the users of a service without Keystone."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "http_basic",
    title="Users in files",
    help="The users of auth_strategy = http_basic. Both files are read again within a second of a change.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "user_file",
        default="/etc/accel/htpasswd",
        help="Names and passwords, a line name:hash for each user, as `htpasswd -B` writes it; other hashes than "
        "bcrypt's are refused.",
    ),
    cfg.StrOpt(
        "role_file",
        default="/etc/accel/roles",
        help="What each user is, a line name:project:role,role for each. The roles are reader, member, manager, admin "
        "and service, and what a policy file adds; admin implies manager, which implies member, which implies reader.",
    ),
]
