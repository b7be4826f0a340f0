"""How a command ends when it cannot do what it was asked for: a sentence and an exit code.

====  ========================================================================
0     done
1     failed: no server answers, or it failed itself
2     the command, an option or a value is wrong, or means several things
3     there is no such thing
4     not authorised
5     it fits nowhere; or an audit has found what does not add up, and it is so still
6     the thing is in a state that does not allow it
7     no answer in time, or not what was waited for
130   interrupted
====  ========================================================================
"""

from typing import ClassVar

from accel.errors import AccelError

INTERRUPTED = 130
BROKEN_PIPE = 141


class CommandFailed(AccelError):
    """The command cannot be done; the text says why and, where known, what to do."""

    code = "accel.cli.failed"
    exit_code: ClassVar[int] = 1


class NoServer(CommandFailed):
    """Nothing answers at the endpoint."""

    code = "accel.cli.no_server"


class WrongUse(CommandFailed):
    """The command, an option or a value is wrong, or means several things."""

    code = "accel.cli.wrong_use"
    exit_code = 2


class NothingFound(CommandFailed):
    """There is no such thing."""

    code = "accel.cli.nothing_found"
    exit_code = 3


class NotAuthorised(CommandFailed):
    """The server does not let this user do it."""

    code = "accel.cli.not_authorised"
    exit_code = 4


class NoPlacement(CommandFailed):
    """What is wanted fits nowhere now; the text says why."""

    code = "accel.cli.no_placement"
    exit_code = 5


class FindingsRemain(CommandFailed):
    """An audit has found what does not add up, and it is so still."""

    code = "accel.cli.findings_remain"
    exit_code = 5


class WrongState(CommandFailed):
    """The thing is there, in a state that does not allow the act."""

    code = "accel.cli.wrong_state"
    exit_code = 6


class NoAnswerInTime(CommandFailed):
    """The server did not answer in time, or what was waited for did not come about."""

    code = "accel.cli.no_answer_in_time"
    exit_code = 7
