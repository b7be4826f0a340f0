"""gRPC over Unix sockets: the node socket and everything that kubelets speak.

grpcio speaks it. What it does not know of Unix sockets is added here: who is at the other end (``gate``), the
permissions of a socket's file, and whose the file is (``server``).
"""

import os

# It writes to standard error, past every log, whenever a connection ends, unless this is said before it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
