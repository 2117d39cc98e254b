"""Foedus: decentralized federated learning that anyone can audit."""

from importlib.metadata import version

__version__ = version("foedus")
