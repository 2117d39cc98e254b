"""The gates: what they hold back, slow down and break, and that they know who is on either end."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.chaos.proxy import Gates, node_at, source_of


@pytest.fixture
def echo():
    """A local port that sends back what it gets, to any number of callers."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(plug: socket.socket) -> None:
            with plug:
                try:
                    while piece := plug.recv(1 << 16):
                        plug.sendall(piece)
                except OSError:
                    return

        def serve() -> None:
            while True:
                try:
                    plug, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(plug,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def dial(port: int, node: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source_of(node), 0))


def asked(plug: socket.socket, word: bytes) -> float:
    """Seconds until the word is back."""
    began = time.monotonic()
    plug.sendall(word)
    assert plug.recv(1 << 16) == word
    return time.monotonic() - began


def test_an_address_names_its_node():
    assert [node_at(source_of(node)) for node in range(9)] == list(range(9))
    assert node_at("127.0.0.1") == -1


def test_a_gate_passes_everything_in_order(echo):
    with Gates(1) as gates, dial(gates.open(0, echo).port, 1) as plug:
        gates.losses[0] = 0.3
        sent = b"".join(bytes([at]) * 1000 for at in range(20))
        for at in range(20):
            plug.sendall(sent[1000 * at : 1000 * at + 1000])
            time.sleep(0.01)
        got = b""
        while len(got) < len(sent):
            got += plug.recv(1 << 16)
        assert got == sent


@pytest.mark.parametrize("slow", [0, 1])
def test_a_delay_of_either_end_is_felt_both_ways(echo, slow):
    with Gates(1) as gates, dial(gates.open(0, echo).port, 1) as plug:
        assert asked(plug, b"now") < 0.3
        gates.delays[slow] = 0.2
        assert 0.4 <= asked(plug, b"later") < 2


def test_a_node_that_is_cut_off_hears_nothing_until_it_is_back_and_others_go_on(echo):
    with Gates(1) as gates:
        gate = gates.open(0, echo)
        with dial(gate.port, 1) as lost, dial(gate.port, 2) as other:
            asked(lost, b"before")
            gates.cut(1)
            time.sleep(0.1)
            lost.sendall(b"held")
            lost.settimeout(0.4)
            with pytest.raises(TimeoutError):
                lost.recv(10)
            asked(other, b"on")
            gates.heal(1)
            lost.settimeout(5)
            assert lost.recv(10) == b"held"


def test_a_reset_breaks_the_connections_of_one_node_alone(echo):
    with Gates(1) as gates:
        gate = gates.open(0, echo)
        with dial(gate.port, 1) as hit, dial(gate.port, 2) as other:
            asked(hit, b"before")
            asked(other, b"before")
            gates.reset(1)
            with pytest.raises(ConnectionResetError):
                hit.recv(10)
            asked(other, b"after")
            with dial(gate.port, 1) as again:
                asked(again, b"again")


def test_a_gate_can_lead_elsewhere(echo):
    with socket.create_server(("127.0.0.1", 0)) as deaf, Gates(1) as gates:
        gate = gates.open(0, deaf.getsockname()[1])
        with dial(gate.port, 0) as plug:
            plug.settimeout(0.3)
            plug.sendall(b"?")
            with pytest.raises(TimeoutError):
                plug.recv(10)
            gates.lead(gate, echo)
            plug.settimeout(5)
            with pytest.raises(ConnectionResetError):
                plug.recv(10)
        with dial(gate.port, 0) as plug:
            asked(plug, b"echo")
