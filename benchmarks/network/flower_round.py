"""Flower's plaintext rounds over gRPC: FedAvg, with the model and the one step of training of `app.py`.

    python -m benchmarks.network.flower_round serve --clients 8 --rounds 3 --port 9000
    python -m benchmarks.network.flower_round join --index 0 --port 9000

`start_server` and `start_client` keep one process and one stream a client for the whole task: less work a round than
Flower's SuperLink, which starts a process for each message. The server prints a JSON list: seconds of each round, from
its first instruction to the new model. Runs in the environment of the peers.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from typing import Any

import torch
from flwr.client import NumPyClient, start_client
from flwr.common import FitRes, Parameters, ndarrays_to_parameters
from flwr.server import ServerConfig, start_server
from flwr.server.strategy import FedAvg
from torch import nn

from benchmarks.network.app import example, model

LEARNING_RATE = 0.1


class Timed(FedAvg):
    """FedAvg that notes when a round begins and when it has the new model."""

    def __init__(self, clients: int, **options: Any) -> None:
        every = dict.fromkeys(("min_fit_clients", "min_available_clients"), clients)
        super().__init__(fraction_fit=1.0, fraction_evaluate=0.0, accept_failures=False, **every, **options)
        self.clients, self.seconds = clients, list[float]()
        self._began = 0.0

    def configure_fit(self, server_round: int, parameters: Parameters, client_manager: Any) -> Any:
        client_manager.wait_for(self.clients)
        self._began = time.perf_counter()
        return super().configure_fit(server_round, parameters, client_manager)

    def aggregate_fit(self, server_round: int, results: list[tuple[Any, FitRes]], failures: Any) -> Any:
        if len(results) != self.clients:
            raise RuntimeError(f"{len(results)} of {self.clients} clients answered in round {server_round}")
        made = super().aggregate_fit(server_round, results, failures)
        self.seconds.append(time.perf_counter() - self._began)
        return made


class Trainer(NumPyClient):
    """One step on one example."""

    def __init__(self, index: int) -> None:
        self.net, self.data = model(), example(index)

    def fit(self, parameters: Any, config: Any) -> Any:
        names = self.net.state_dict().keys()
        self.net.load_state_dict({n: torch.from_numpy(a) for n, a in zip(names, parameters, strict=True)})
        optimizer = torch.optim.SGD(self.net.parameters(), lr=LEARNING_RATE)
        inputs, targets = self.data.tensors
        nn.functional.cross_entropy(self.net(inputs), targets).backward()
        optimizer.step()
        return [value.numpy() for value in self.net.state_dict().values()], 1, {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("serve", "join"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--index", type=int, default=0)
    asked = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    address = f"127.0.0.1:{asked.port}"
    if asked.what == "join":
        start_client(server_address=address, client=Trainer(asked.index).to_client(), insecure=True)
        return
    torch.manual_seed(5)
    first = ndarrays_to_parameters([value.numpy() for value in model().state_dict().values()])
    strategy = Timed(asked.clients, initial_parameters=first)
    start_server(server_address=address, config=ServerConfig(num_rounds=asked.rounds), strategy=strategy)
    print(json.dumps(strategy.seconds), flush=True)


if __name__ == "__main__":
    main()
