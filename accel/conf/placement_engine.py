"""What placement takes for good."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "placement_engine",
    title="Placement",
    help="Where accelerators are offered to whoever asks for a place. A place has a score of named parts, each from 0 "
    "to 1 and with a weight: pack, spread, topology, fragmentation, health, fairness, and the names under which other "
    "packages have registered scorers.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "policy",
        default="default",
        choices=[
            ("default", "keep what is free useful for what is asked for; well connected cards; full nodes first"),
            ("pack", "full nodes first, so that whole nodes stay empty"),
            ("spread", "empty nodes first, so that as little as can be is lost with a node"),
            ("topology", "the best connected cards first"),
        ],
        help="The weights that are used unless weights are given here or with the question.",
    ),
    cfg.DictOpt(
        "weights",
        default={},
        help="Weights of the parts of a score in place of those of the policy, by name: "
        "fragmentation:4,topology:2,pack:2. Parts that are not named do not count. Only what one weight has to another "
        "matters.",
    ),
    cfg.ListOpt(
        "filters",
        default=[],
        help="What is demanded of every node beside what is asked for: healthy-node, that no device of it is lost, "
        "disabled, unhealthy or of unknown health; idle-node, that nobody has anything on it.",
    ),
    cfg.IntOpt(
        "demand_requests",
        default=1000,
        min=0,
        max=100_000,
        help="By the newest so many accelerator requests that are still there, those of claims among them, it is known "
        "how many accelerators of one node are asked for together these days: fragmentation is measured against that. "
        "While fewer than ten times something has been asked for, and with 0 always, requests of 1, 2, 4 and 8 are "
        "expected alike.",
    ),
    cfg.IntOpt(
        "demand_seconds",
        default=60,
        min=1,
        help="How often, in seconds, each process of the API looks at these requests, with one statement, if it is "
        "asked for a place at all. The best place for a request may become another one each time.",
    ),
]
