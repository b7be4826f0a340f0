"""The code of the services in ``protos/``. It is generated when accel is built; nothing here is written by hand.

Each message is a class in the module of its file, each service a descriptor: ``accel.sockets`` serves and calls it.
"""
