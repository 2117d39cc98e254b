"""What a person at the command line can do something about: each error names the values and the remedy."""

from __future__ import annotations

from pathlib import Path


class NodeError(Exception):
    """A clear message for the operator; the command line prints it and exits with status 1."""


class HomeMissing(NodeError):
    def __init__(self, home: Path) -> None:
        super().__init__(f"{home} is no Foedus home: run `foedus --home {home} init --rpc URL --deployment FILE` first")


class HomeExists(NodeError):
    def __init__(self, home: Path) -> None:
        super().__init__(f"{home} is a Foedus home already: choose another --home, or remove it yourself")


class HomeInUse(NodeError):
    """Two daemons on one key would reveal twice."""

    def __init__(self, home: Path, pid: str) -> None:
        super().__init__(f"another daemon (process {pid or 'unknown'}) runs on {home}: stop it, or use another --home")


class BadConfig(NodeError):
    """`source` is the file, the variable or the flag that holds the setting."""

    def __init__(self, source: Path | str, what: str) -> None:
        super().__init__(f"{source}: {what}")


class WrongChainId(NodeError):
    def __init__(self, wanted: int, found: int) -> None:
        super().__init__(
            f"chain_id is {wanted}, but deployment.json is of chain {found}: correct the one that is wrong "
            "(`foedus config show --origin` says where chain_id comes from)"
        )
        self.wanted, self.found = wanted, found


class BadPassphrase(NodeError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"the passphrase does not open {path}: check --passphrase-file, or type it again")


class NoKey(NodeError):
    def __init__(self, keystore: Path) -> None:
        super().__init__(f"{keystore} holds no key: run `foedus key new` or `foedus key import FILE`")


class UnknownTask(NodeError):
    def __init__(self, task: str, factory: str) -> None:
        super().__init__(f"{task} is no task of the factory {factory}: `foedus task list` shows those there are")


class StaleBackup(NodeError):
    """The chain knows round keys of this account that the journal never had."""

    def __init__(self, task: str, generation: int, opening: int) -> None:
        super().__init__(
            f"{task}: the chain has keys of this account for opening {opening} (after {generation} commitments) that "
            "this journal lacks: the home was restored from an old backup. It sits out and advertises fresh keys"
        )
