"""Which peer is which account: where the on-chain registry says it is, once the peer itself has proven it.

The registry's addresses are dialled. A peer counts as an account's only when it shows that account's signature over its
peer id: otherwise an account could name somebody else's peer as its own, and have that peer blamed for its silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from foedus.contracts.ledger import Ledger
from foedus.network.errors import BadAddress, NetworkError
from foedus.network.host import Host
from foedus.network.identity import Domain, NodeRecord, request_record
from foedus.protocol.ids import Address, PeerId

log = structlog.get_logger(__name__)

MAX_PEERS = 4096
REORG_BLOCKS = 64
"""How far back the registry is read again, in case a reorganisation moved an announcement."""


class PeerBook:
    """The peers that have proven an account, and the addresses that the registry names."""

    def __init__(self, host: Host, ledger: Ledger, me: Address) -> None:
        self._host, self._ledger, self._me = host, ledger, me
        self._domain = Domain(ledger.deployment.chain_id, ledger.deployment.registry)
        self._read = 0
        self._dialled: set[str] = set()
        self._asking: dict[PeerId, asyncio.Task[None]] = {}
        self._proven: set[PeerId] = set()
        self._records: dict[Address, NodeRecord] = {}

    async def refresh(self) -> None:
        """Read the registry, dial what is new, and ask new connections who they are."""
        head = (await self._ledger.head()).number
        for account, announced in (await self._ledger.nodes(self._read)).items():
            if account != self._me:
                for address in announced.addresses:
                    self._dial(account, address)
        self._read = max(0, head - REORG_BLOCKS)
        for peer in self._host.connected() - self._proven - self._asking.keys():
            self._asking[peer] = asyncio.create_task(self._ask(peer))

    def _dial(self, account: Address, address: str) -> None:
        if address in self._dialled or len(self._dialled) >= MAX_PEERS:
            return
        self._dialled.add(address)
        try:
            self._host.add_peer(address)
        except BadAddress as error:
            log.warning("address refused", account=account, error=str(error))

    async def _ask(self, peer: PeerId) -> None:
        """Have a peer prove its account; the newest record of an account counts."""
        try:
            record = await request_record(self._host, peer, self._domain)
            known = self._records.get(record.account)
            if known is None or known.issued_at <= record.issued_at:
                self._records[record.account] = record
            self._proven.add(peer)
        except NetworkError as error:
            log.debug("no record", peer=peer, error=str(error))
        finally:
            self._asking.pop(peer, None)

    @property
    def known(self) -> int:
        """How many addresses the registry has named."""
        return len(self._dialled)

    def of(self, accounts: Iterable[Address]) -> list[PeerId]:
        """The proven peers of these accounts, in their order."""
        return [self._records[account].peer for account in accounts if account in self._records]

    def close(self) -> None:
        """Stop asking."""
        for asked in list(self._asking.values()):
            asked.cancel()
