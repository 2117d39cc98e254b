"""Which peer is which account: where the on-chain registry says it is, once the peer itself has proven it.

The registry's addresses are dialled. A peer counts as an account's only when it shows that account's signature over its
peer id: otherwise an account could name somebody else's peer as its own, and have that peer blamed for its silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from foedus.contracts import calls
from foedus.contracts.ledger import Ledger
from foedus.network.addresses import parse_address
from foedus.network.errors import BadAddress, NetworkError
from foedus.network.host import Host
from foedus.network.identity import MAX_ADDRESSES, Domain, NodeRecord, request_record
from foedus.node.errors import BadConfig
from foedus.protocol.ids import Address, PeerId

log = structlog.get_logger(__name__)

REGISTRY_SECONDS = 2.0
"""Between two looks at the registry."""

MAX_RECORDS = 4096
"""Accounts whose peers are remembered: anybody can prove accounts without end."""

REORG_BLOCKS = 64
"""How far back the registry is read again, in case a reorganisation moved an announcement."""


def places_of(host: Host, announce: Iterable[str]) -> tuple[str, ...]:
    """The addresses to tell others: those of the `announce` setting, or where the host listens. Raises BadConfig."""
    try:
        told = tuple(str(parse_address(f"{place}/p2p/{host.peer_id}")) for place in announce)
    except BadAddress as error:
        raise BadConfig("announce", f"{error}, without its last part") from error
    return (told or host.addresses)[:MAX_ADDRESSES]


async def announce(host: Host, ledger: Ledger, me: Address, places: tuple[str, ...]) -> None:
    """Say in the registry where this node is, unless it says so already."""
    known = (await ledger.nodes()).get(me)
    if known is None or known.peer_id != host.peer_id or known.addresses != places:
        receipt = await ledger.transact(calls.announce(ledger.deployment, host.peer_id, places))
        log.info("announced", account=me, peer=host.peer_id, gas=receipt.gas_used)


class PeerBook:
    """The peers that have proven an account, and the addresses that the registry names.

    given: addresses that stay in the host's book whatever the registry says.
    """

    def __init__(self, host: Host, ledger: Ledger, me: Address, given: Iterable[str] = ()) -> None:
        self._host, self._ledger, self.me = host, ledger, me
        self._domain = Domain(ledger.deployment.chain_id, ledger.deployment.registry)
        self._read = 0
        self._given = frozenset(given)
        self._places: dict[Address, tuple[str, ...]] = {}
        self._asking: dict[PeerId, asyncio.Task[None]] = {}
        self._proven: set[PeerId] = set()
        self._records: dict[Address, NodeRecord] = {}

    async def refresh(self) -> None:
        """Read the registry, follow who has moved, and ask new connections who they are."""
        head = (await self._ledger.head()).number
        for account, announced in (await self._ledger.nodes(self._read)).items():
            if account != self.me:
                self._follow(account, announced.addresses)
        self._read = max(0, head - REORG_BLOCKS)
        self._proven &= self._host.connected()
        for peer in self._host.connected() - self._proven - self._asking.keys():
            self._asking[peer] = asyncio.create_task(self._ask(peer))

    def _follow(self, account: Address, places: tuple[str, ...]) -> None:
        """Dial where the account is now, and no longer where it was, unless somebody else is there.

        What it says of a peer that has proven another account is not heard.
        """
        before = self._places.get(account, ())
        if places == before:
            return
        self._places[account] = places
        taken = {record.peer for record in self._records.values() if record.account != account}
        for place in places:
            try:
                if parse_address(place).peer not in taken:
                    self._host.add_peer(place)
            except BadAddress as error:
                log.warning("address refused", account=account, error=str(error))
        for place in set(before) - self._given.union(*self._places.values()):
            self._host.drop_address(place)

    async def _ask(self, peer: PeerId) -> None:
        """Have a peer prove its account; the newest record of an account counts."""
        try:
            record = await request_record(self._host, peer, self._domain)
            known = self._records.get(record.account)
            if known is None or known.issued_at <= record.issued_at:
                self._remember(record)
            self._proven.add(peer)
        except NetworkError as error:
            log.debug("no record", peer=peer, error=str(error))
        finally:
            self._asking.pop(peer, None)

    def _remember(self, record: NodeRecord) -> None:
        """Keep a proven account; past the limit at the cost of one that the registry does not name."""
        if record.account not in self._records and len(self._records) >= MAX_RECORDS:
            unnamed = (account for account in self._records if account not in self._places)
            self._records.pop(next(unnamed, next(iter(self._records))))
        self._records[record.account] = record

    @property
    def known(self) -> int:
        """How many addresses the registry names."""
        return sum(map(len, self._places.values()))

    def of(self, accounts: Iterable[Address]) -> list[PeerId]:
        """The proven peers of these accounts, in their order."""
        return [self._records[account].peer for account in accounts if account in self._records]

    def close(self) -> None:
        """Stop asking."""
        for asked in list(self._asking.values()):
            asked.cancel()
