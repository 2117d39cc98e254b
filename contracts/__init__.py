"""Contracts: the Solidity sources, their compiled artifacts, and the typed client that speaks to them."""
