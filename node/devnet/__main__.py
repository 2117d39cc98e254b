"""`python -m foedus.node.devnet`: the embedded chain as a process of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from foedus.node.devnet.errors import DevnetError
from foedus.node.devnet.serve import serve_chain


def main() -> int:
    """Serve until told to stop; exit status 1, with the reason on stderr, if that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m foedus.node.devnet", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="the folder that holds the chain")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8545, help="0 takes a free one")
    parser.add_argument("--chain-id", type=int, default=31337)
    parser.add_argument("--block-time", type=float, default=1.0, help="seconds; 0: no empty blocks")
    parser.add_argument("--accounts", type=int, default=10, help="number of development accounts")
    options = parser.parse_args()
    try:
        serve_chain(**vars(options), on_ready=_announce)
    except DevnetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(f"listening on {url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
