"""A driver whose module crashes natively when it is loaded."""

import os
import signal

os.kill(os.getpid(), signal.SIGSEGV)
