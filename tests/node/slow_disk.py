"""A disk as slow as it is told to be: `slow_disk.c`, preloaded into a process that calls `begin`."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path


def build(folder: Path) -> Path:
    """The library to preload."""
    made = folder / "slow_disk.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(made), str(source)], check=True)
    return made


def set_wait(disk: Path, seconds: float) -> None:
    """Have every sync take so much longer from now on, in the processes that began with this file."""
    with disk.open("r+b" if disk.exists() else "wb") as file:  # in place: they have it mapped
        file.write(int(1000 * seconds).to_bytes(4, sys.byteorder))


def begin(disk: Path) -> None:
    """From now on this process's disk is as slow as the file says. The library must have been preloaded."""
    if ctypes.CDLL(None).slow_disk(os.fsencode(disk)) != 0:
        raise FileNotFoundError(disk)
