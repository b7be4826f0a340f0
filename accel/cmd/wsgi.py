"""The REST API as an object, for WSGI servers that import one: ``uwsgi --mount /accelerator=accel/cmd/wsgi.py …``.

Its configuration is that of ``accel-api``, but for where it listens, which is the server's affair.
"""

from accel import conf
from accel.cmd.api import PROG, make_application

application = make_application(conf.load([], prog=PROG))
