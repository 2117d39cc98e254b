"""Which peer is which account: the on-chain registry, read again as it grows, and every address in it kept dialled."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from foedus.contracts.ledger import Ledger
from foedus.network.errors import BadAddress
from foedus.network.host import Host
from foedus.protocol.ids import Address, PeerId

log = structlog.get_logger(__name__)


class PeerBook:
    """The registry's latest announcement of every account but one's own."""

    def __init__(self, host: Host, ledger: Ledger, me: Address) -> None:
        self._host, self._ledger, self._me = host, ledger, me
        self._peers: dict[Address, PeerId] = {}
        self._dialled: set[str] = set()

    async def refresh(self) -> None:
        """Read the registry and dial what is new."""
        for account, announced in (await self._ledger.nodes()).items():
            if account == self._me:
                continue
            for address in announced.addresses:
                self._dial(account, address)
            self._peers[account] = PeerId(announced.peer_id)

    def _dial(self, account: Address, address: str) -> None:
        if address in self._dialled:
            return
        self._dialled.add(address)
        try:
            self._host.add_peer(address)
        except BadAddress as error:
            log.warning("address refused", account=account, error=str(error))

    @property
    def known(self) -> int:
        """How many peers the registry has named."""
        return len(self._peers)

    def of(self, accounts: Iterable[Address]) -> list[PeerId]:
        """The known peers of these accounts, in their order."""
        return [self._peers[account] for account in accounts if account in self._peers]
