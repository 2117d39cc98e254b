"""Peers and bytes: an authenticated libp2p host, content identifiers, a block store and its exchange.

Read in this order: `host` (what the rest of Foedus calls), `cid` and `store` (bytes named by their hash),
`blocks` (bytes from peers), `discovery` and `identity` (who the peers are). libp2p runs on trio in a thread of
its own behind `portal`; everything outside this room is asyncio.
"""
