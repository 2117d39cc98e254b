"""`python -m foedus.dashboard`: the dashboard of one deployment, until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from foedus.contracts.deployment import MalformedDeployment
from foedus.dashboard.serve import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; exit status 1, with the reason on stderr, if that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m foedus.dashboard", description=__doc__)
    parser.add_argument("--rpc", required=True, help="the chain's JSON-RPC URL")
    parser.add_argument("--deployment", type=Path, required=True, help="the address book, deployment.json")
    parser.add_argument(
        "--store", required=True, help="a folder of blocks (a node's store/, only read), or an IPFS daemon's RPC URL"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8600, help="0 takes a free one")
    options = parser.parse_args(arguments)
    try:
        serve(options.rpc, options.deployment, options.store, options.host, options.port, _announce)
    except KeyboardInterrupt:
        return 0
    except (OSError, MalformedDeployment) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(f"dashboard on {url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
