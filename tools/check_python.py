"""Refuse a Python that is too old, in words, before anything is installed with it."""

import sys

if sys.version_info < (3, 11):
    found = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit(f"Foedus needs Python 3.11 or newer, {sys.executable} is {found}: run `make PYTHON=python3.11 ...`")
