"""Code of the same user, started by a command, does not get to see that command's environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
# Root may read any process: by CAP_SYS_PTRACE, CAP_SYS_ADMIN or CAP_PERFMON (19, 21, 38). What is
# out of the bounding set (24, PR_CAPBSET_DROP, of prctl) a program that root starts does not get.
PARENT = """
import ctypes, os, subprocess, sys
if sys.argv[3:]:
    for capability in (19, 21, 38):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
    os.execv(sys.executable, sys.orig_argv[:-1])
sys.path.insert(0, sys.argv[1])
from airlock import cli

CHILD = '''
import os
for name in ("environ", "maps"):
    try:
        open(f"/proc/{os.getppid()}/{name}", "rb").read(1)
        print("read", name)
    except PermissionError:
        print("kept", name)
'''

def command(**_):
    subprocess.run([sys.executable, "-I", "-c", CHILD], env={}, check=True)

cli.airlock.main = command
cli.run([sys.argv[2]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc to read")
@pytest.mark.parametrize(
    ("name", "does"), [("smoke-test", "kept"), ("rewrite-history", "kept"), ("demo", "read")]
)
def test_who_reads_the_environment_of_a_command(name: str, does: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PARENT, str(SCRIPTS), name, "without capabilities"],
        env={"AIRLOCK_TOKEN": "t" * 40},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{does} environ" in ran.stdout.splitlines()
    assert f"{does} maps" in ran.stdout.splitlines()
