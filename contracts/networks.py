"""Chains by name: public facts alone. Where one answers is for whoever connects to say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """A chain. confirmations: blocks that must follow a deployment before it is written down; development: one's own
    chain, where nobody need be asked before ether is spent.
    """

    name: str
    chain_id: int
    confirmations: int
    development: bool = False


NETWORKS = {
    network.name: network
    for network in (
        Network("devnet", 31337, 0, development=True),
        Network("anvil", 31337, 0, development=True),
        Network("sepolia", 11_155_111, 3),
        Network("base-sepolia", 84_532, 12),
        Network("arbitrum-sepolia", 421_614, 20),
        Network("optimism-sepolia", 11_155_420, 12),
    )
}
