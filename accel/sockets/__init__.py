"""gRPC over Unix sockets: the node socket and everything that kubelets speak.

It stands on ``h2``, a state machine for HTTP/2 without input or output, for three reasons that the usual library gives
no way around: it knows who is at the other end of a socket (``SO_PEERCRED``), its sockets are gone from the file system
when a server has stopped and not some time later, and it costs a node daemon 5 MiB instead of 20. What is spoken is
gRPC as it is: a call with one message, answered by one message or a stream of them.
"""
