"""Code that is not used is not resident, and is there all the same when it is used."""

import json
import subprocess
import sys

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
