"""What a person at the command line can do something about: each error names the values and the remedy."""

from __future__ import annotations

from pathlib import Path


class NodeError(Exception):
    """A clear message for the operator; the command line prints it and exits with status 1."""


class HomeMissing(NodeError):
    def __init__(self, home: Path) -> None:
        super().__init__(f"{home} is no Foedus home: run `foedus --home {home} init --rpc URL` first")


class HomeExists(NodeError):
    def __init__(self, home: Path) -> None:
        super().__init__(f"{home} is a Foedus home already: choose another --home, or remove it yourself")


class HomeInUse(NodeError):
    """Two daemons on one key would reveal twice."""

    def __init__(self, home: Path, pid: str) -> None:
        super().__init__(f"another daemon (process {pid or 'unknown'}) runs on {home}: stop it, or use another --home")


class BadConfig(NodeError):
    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")


class BadPassphrase(NodeError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"the passphrase does not open {path}: check --passphrase-file, or type it again")


class NoKey(NodeError):
    def __init__(self, keystore: Path) -> None:
        super().__init__(f"{keystore} holds no key: run `foedus key new` or `foedus key import FILE`")


class UnknownTask(NodeError):
    def __init__(self, task: str, rpc: str) -> None:
        super().__init__(f"{task} is no task of the factory at {rpc}: `foedus task list` shows those there are")


class NotAParticipant(NodeError):
    def __init__(self, account: str, task: str) -> None:
        super().__init__(f"{account} has not joined {task}: run `foedus task join {task} --app APP`")


class GuardRefused(NodeError):
    """The unmask guard keeps one survivor set a round for ever; revealing for another could open one update."""

    def __init__(self, round_: int, bound: bytes, asked: bytes) -> None:
        super().__init__(
            f"round {round_} is bound to survivors {bound.hex()}, not revealing for {asked.hex()}: "
            "the chain was reorganised or this journal is another's; sit this round out"
        )


class StaleBackup(NodeError):
    """The chain has seen more of this account than the journal remembers."""

    def __init__(self, task: str, chain: int, journal: int) -> None:
        super().__init__(
            f"{task}: the chain counts {chain} commitments of this account, the journal {journal}: this home was "
            "restored from an old backup, so it sits out until it leaves and joins again with a fresh account"
        )
