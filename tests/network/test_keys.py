"""Peer ids, addresses and faults: small, strict, and bounded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.network.addresses import parse_address
from foedus.network.errors import BadAddress, BadPeerId
from foedus.network.faults import FAULT_HALF_LIFE, LAPSE_HALF_LIFE, LAPSES, OUTCAST, REMEMBERED, FaultLog
from foedus.network.keys import generate_secret, parse_peer_id, peer_id_of
from foedus.protocol.ids import PeerId

ID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_libp2p_reads_the_same_peer_id_from_the_key(secret: bytes) -> None:
    from libp2p.crypto.ed25519 import create_new_key_pair
    from libp2p.peer.id import ID as Foreign

    peer = peer_id_of(secret)
    assert peer == Foreign.from_pubkey(create_new_key_pair(secret).public_key).to_base58()
    assert parse_peer_id(peer) == peer


def test_two_secrets_are_two_peers_and_a_short_one_is_none() -> None:
    assert generate_secret() != generate_secret()
    with pytest.raises(ValueError, match="31"):
        peer_id_of(bytes(31))


@pytest.mark.parametrize(
    "text", ["", ID[:-1], ID + "1", "0" + ID[1:], "Qm" + ID[2:], "z" * 52, "1" * 52, ID[:-1] + "é"]
)
def test_what_is_not_an_ed25519_peer_id_is_refused(text: str) -> None:
    with pytest.raises(BadPeerId):
        parse_peer_id(text)


@pytest.mark.parametrize(
    "text",
    [
        f"/ip4/203.0.113.7/tcp/4001/p2p/{ID}",
        f"/ip6/2001:db8::1/tcp/1/p2p/{ID}",
        f"/dns/node-1.example.org/tcp/65535/p2p/{ID}",
        f"/dns4/node_1/tcp/4001/p2p/{ID}",
    ],
)
def test_an_address_reads_back_as_written(text: str) -> None:
    assert str(parse_address(text)) == text
    assert parse_address(text).peer == ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/ip4/203.0.113.7/tcp/4001",
        f"/ip4/203.0.113.700/tcp/4001/p2p/{ID}",
        f"/ip4/203.0.113.7/tcp/0/p2p/{ID}",
        f"/ip4/203.0.113.7/tcp/70000/p2p/{ID}",
        f"/ip4/203.0.113.7/tcp/04001/p2p/{ID}",
        f"/ip4/203.0.113.7/udp/4001/quic-v1/p2p/{ID}",
        f"/dns/-bad-/tcp/4001/p2p/{ID}",
        f"/dns/a b/tcp/4001/p2p/{ID}",
        f"/ip4/203.0.113.7/tcp/4001/p2p/{ID}/p2p-circuit",
        f"/ip4/203.0.113.7/tcp/4001/p2p/{ID}\n",
        "/ip4/203.0.113.7/tcp/4001/p2p/" + "1" * 64,
        "/dns/" + "a" * 5000 + f"/tcp/1/p2p/{ID}",
    ],
)
def test_what_this_network_does_not_dial_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text)


def _peer(number: int) -> PeerId:
    return PeerId(f"peer {number}")


def test_the_tenth_fault_in_quick_succession_bans_and_the_ban_ends() -> None:
    log = FaultLog(ban=50)
    assert [log.record(_peer(1), f"fault {i}", now=float(i)) for i in range(10)] == [False] * 9 + [True]
    assert log.banned(_peer(1), 20) == "fault 9"
    assert log.banned(_peer(2), 20) is None
    assert (log.total, log.bans(58.9)) == (10, 1)
    assert log.banned(_peer(1), 60) is None
    assert (log.total, log.bans(60)) == (10, 0)


@given(st.lists(st.floats(0, 60), min_size=1, max_size=60))
def test_faults_far_apart_never_ban(jitter: list[float]) -> None:
    log = FaultLog()
    assert not any(log.record(_peer(1), "odd", 120 * at + each) for at, each in enumerate(jitter))


@given(st.floats(0, 1e6), st.integers(1, 9))
def test_a_score_decays_by_halves_and_never_rises_above_nothing(start: float, faults: int) -> None:
    log = FaultLog()
    for _ in range(faults):
        log.record(_peer(1), "x", start)
    assert log.score(_peer(1), start) == -faults
    assert log.score(_peer(1), start + FAULT_HALF_LIFE) == pytest.approx(-faults / 2)
    assert log.score(_peer(1), start + 50 * FAULT_HALF_LIFE) == pytest.approx(0, abs=1e-9)
    assert log.score(_peer(2), start) == 0


def test_lapses_lower_a_score_but_never_ban_or_cast_out() -> None:
    log = FaultLog()
    for _ in range(1000):
        log.lapse(_peer(1), 5.0)
    assert OUTCAST < log.score(_peer(1), 5.0) < 0
    assert (log.total, log.bans(5.0), log.faults(_peer(1))) == (0, 0, ())
    log.record(_peer(2), "broke it", 5.0)
    assert log.worst(5.0, 1) == [(_peer(1), -LAPSES, "slow or away")]
    assert log.score(_peer(1), 5.0 + 3 * LAPSE_HALF_LIFE) > log.score(_peer(2), 5.0 + 3 * LAPSE_HALF_LIFE)


def test_strangers_without_end_do_not_make_a_bad_peer_forgotten() -> None:
    log = FaultLog()
    for _ in range(9):
        log.record(_peer(0), "bad", 1.0)
    for number in range(1, 3 * REMEMBERED):
        log.record(_peer(number), "x", 1.0)
    assert log.record(_peer(0), "bad", 1.0)


def test_the_log_is_bounded() -> None:
    log = FaultLog()
    for number in range(3 * REMEMBERED):
        for _ in range(20):
            log.record(_peer(number), "x", 1.0)
    assert len(log._standings) <= REMEMBERED
    assert len(log._banned) <= REMEMBERED
    assert (log.total, log.bans(1.0)) == (3 * REMEMBERED * 20, REMEMBERED)
    assert len(log.faults(_peer(3 * REMEMBERED - 1))) == 10
