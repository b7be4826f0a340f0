"""Code that is not used is not resident, and is there all the same when it is used."""

import json
import mmap
import subprocess
import sys
from pathlib import Path

from accel.cmd.thrift import code, still_code

_PROGRAM = """
import json, re, ssl, sys
from pathlib import Path
from accel.cmd.thrift import code, let_go

def resident():
    return int(re.search(r"RssFile:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

context = ssl.create_default_context()
before = resident()
let_go(code())
after = resident()
names = [cipher["name"] for cipher in ssl.create_default_context().get_ciphers()]
print(json.dumps([before, after, names == [cipher["name"] for cipher in context.get_ciphers()]]))
"""


def test_code_that_was_let_go_is_not_resident_and_still_works() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)

    before, after, works = json.loads(done.stdout)
    assert after < before / 2
    assert works


def test_what_has_become_something_else_is_not_let_go() -> None:
    with Path("/bin/true").open("rb") as program:
        mapped = mmap.mmap(program.fileno(), mmap.PAGESIZE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    regions = set(code())
    mapped.close()

    left = still_code(regions)

    assert left < regions
