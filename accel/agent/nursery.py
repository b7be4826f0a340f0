"""Processes for drivers, forked by a small server that has loaded them and does nothing else.

A process that is forked is there within milliseconds, and the server has no threads whose locks it would copy. The
server is there while somebody needs it and a moment longer: it is as large as half an agent, and drivers look seldom.

``multiprocessing`` has such a server too, which stays for ever, together with a process that tracks what neither needs.
"""

import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection

_IDLE_SECONDS = 1.0
"""How long the server stays when nobody needs it: after an act a look follows at once."""
_END_PATIENCE_SECONDS = 5.0
"""How long after its last word a process may take to end."""
_NUMBER = struct.Struct("i")
_SERVER = "import sys; sys.path[:] = {path!r}; from accel.agent.nursery import serve; serve({socket}, {modules!r})"

Life = Callable[..., None]
"""What a process does: a function of a module, called with what it is given and the connection to the agent."""


class Child:
    """A process, as the agent sees it.

    :param words: what the process says
    :param news: what the server says of it: that it is born, and how it has ended
    """

    def __init__(self, words: Connection, news: socket.socket) -> None:
        self.words = words
        self._news = news
        born, handles, *_ = socket.recv_fds(news, _NUMBER.size, 1)
        self.pid = _NUMBER.unpack(born)[0] if handles else 0
        """0 where it could not be started; then it says nothing, as one that has died."""
        self._handle = handles[0] if handles else -1

    @property
    def is_alive(self) -> bool:
        """Whether it is still there."""
        return not self.join(0)

    def join(self, timeout_seconds: float) -> bool:
        """Wait for its end; gives whether it has come in time."""
        return self.pid == 0 or bool(select.select([self._handle], [], [], timeout_seconds)[0])

    def kill(self) -> None:
        """End it by force, which the kernel may put off."""
        if self._handle >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def exit_code(self) -> int | None:
        """How it has ended, negative: by which signal; None: it has not, or the server is gone and nobody knows."""
        self._news.settimeout(_END_PATIENCE_SECONDS)
        with suppress(OSError):
            if self.pid and len(said := self._news.recv(_NUMBER.size)) == _NUMBER.size:
                code: int = _NUMBER.unpack(said)[0]
                return code
        return None

    def forget(self) -> None:
        """Have no more to do with it."""
        self.words.close()
        self._news.close()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
            with suppress(ChildProcessError):  # it is ours where the server has ended before it, and we are process 1
                os.waitpid(self.pid, os.WNOHANG)


class Nursery:
    """Starts processes. Threads may share it.

    :param modules: what the server loads; what can not be loaded, it does without
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._modules = list(modules)
        self._lock = threading.Lock()
        self._users = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._idle: threading.Timer | None = None

    def start(self, life: Life, *arguments: object) -> Child:
        """Start a process; whoever does it is to ``forget`` the child.

        :param arguments: what the process is given; they are pickled
        """
        with self.needed():
            ours, theirs = socket.socketpair()
            news, told = socket.socketpair()
            with theirs, told:
                self._order(theirs, told)
            words = Connection(ours.detach())
            child = Child(words, news)
            with suppress(OSError):  # it has died; that shows when it is listened to
                words.send_bytes(pickle.dumps((life, arguments)))
            return child

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Keep the server meanwhile, once there is one."""
        with self._lock:
            self._users += 1
            if self._idle is not None:
                self._idle.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._idle = threading.Timer(_IDLE_SECONDS, self._end_if_idle)
                    self._idle.daemon = True
                    self._idle.start()

    def _ready(self) -> socket.socket:
        """The socket to the server, which is started if there is none; for whoever holds the lock."""
        if self._control is not None and self._server is not None and self._server.poll() is None:
            return self._control
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            code = _SERVER.format(path=sys.path, socket=theirs.fileno(), modules=self._modules)
            command = [sys.executable, "-c", code]
            self._server = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        return self._control

    def _order(self, *ends: socket.socket) -> None:
        with self._lock, suppress(OSError):  # the server has died just now; so the child is none
            socket.send_fds(self._ready(), [b"a child"], [end.fileno() for end in ends])

    def _end_if_idle(self) -> None:
        with self._lock:
            server, control = self._server, self._control
            if self._users or server is None or control is None:
                return
            control.close()
            server.wait()
            self._server = self._control = None


# --- the server ---


def serve(number: int, modules: Sequence[str]) -> None:
    """Be the server, until the agent wants no more: what has been started goes on.

    :param number: of the descriptor of the socket to the agent
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses the keys means the agent
    for module in modules:
        with suppress(ImportError):  # the process that needs it will say so
            import_module(module)
    with socket.socket(fileno=number) as control:
        _Server(control).run()


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._children: dict[int, tuple[int, socket.socket]] = {}
        """By the handle of the process: its number, and where its end is to be told."""

    def run(self) -> None:
        while True:
            for handle, _ in self._poll.poll():
                if handle != self._control.fileno():
                    self._bury(handle)
                elif not self._bear():
                    return

    def _bear(self) -> bool:
        """Take an order; gives whether there was one."""
        order, ends, *_ = socket.recv_fds(self._control, 16, 2)
        if not order:
            return False
        words, told = ends[0], socket.socket(fileno=ends[1])
        try:
            pid = os.fork()
        except OSError:  # there are too many processes; the agent sees that there is none
            told.close()
        else:
            if pid == 0:
                self._leave()
                told.close()
                _live(words)
            self._tell_of(pid, told)
        os.close(words)
        return True

    def _tell_of(self, pid: int, told: socket.socket) -> None:
        handle = os.pidfd_open(pid)
        self._children[handle] = pid, told
        self._poll.register(handle, select.POLLIN)
        with suppress(OSError):  # nobody may want to know any more
            socket.send_fds(told, [_NUMBER.pack(pid)], [handle])

    def _bury(self, handle: int) -> None:
        pid, told = self._children.pop(handle)
        self._poll.unregister(handle)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
        with told, suppress(OSError):  # nobody may want to know any more
            told.send(_NUMBER.pack(os.waitstatus_to_exitcode(status)))

    def _leave(self) -> None:
        """Have nothing in common with the server any more, in a child of it."""
        self._control.close()
        for handle, (_, told) in self._children.items():
            os.close(handle)
            told.close()
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _live(end: int) -> None:
    """The life of a child; a mistake in it shows on standard error."""
    code = 1
    try:
        words = Connection(end)
        life, arguments = pickle.loads(words.recv_bytes())  # noqa: S301  # the agent's own words
        life(*arguments, words)
        code = 0
    except SystemExit as wish:
        code = wish.code if isinstance(wish.code, int) else 1
    except BaseException:  # noqa: BLE001  # the border: whatever it is, it must not go on as the server
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)
