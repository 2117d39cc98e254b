"""What the embedded chain refuses, with the values and the way out."""

from __future__ import annotations

from pathlib import Path

from foedus.node.devnet.jsontypes import Json


class DevnetError(Exception):
    """The chain, or the process that serves it, cannot do what was asked."""


class GenesisMismatch(DevnetError):
    """The folder holds a chain that began differently from the one asked for."""

    def __init__(self, folder: Path, field: str, have: str, want: str) -> None:
        super().__init__(
            f"the chain in {folder} began with {field} {have}, not {want}: "
            f"ask for {field} {have}, use another folder, or delete this one to start over"
        )
        self.folder, self.field, self.have, self.want = folder, field, have, want


class FormatMismatch(DevnetError):
    """The folder was written by another version of this package."""

    def __init__(self, folder: Path, have: int, want: int) -> None:
        super().__init__(f"the chain in {folder} has format {have}, this version reads {want}: use another folder")
        self.folder, self.have, self.want = folder, have, want


class ChainLocked(DevnetError):
    """Another live process serves the chain in this folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(f"the chain in {folder} is in use by process {holder}: stop it, or use another folder")
        self.folder, self.holder = folder, holder


class AddressInUse(DevnetError):
    """The HTTP server cannot listen where it was told to."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port} ({reason}): choose another port, or 0 for any free one")
        self.host, self.port = host, port


class BadSetting(DevnetError):
    """A setting outside its range."""

    def __init__(self, name: str, value: float, need: str) -> None:
        super().__init__(f"{name} is {value}: it must be {need}")
        self.name, self.value = name, value


class StartFailed(DevnetError):
    """A chain process ended, or did not answer in time."""

    def __init__(self, command: str, reason: str, output: str) -> None:
        super().__init__(f"{command}: {reason}; its last output was: {output.strip() or '(none)'}")
        self.command, self.reason, self.output = command, reason, output


class RpcError(Exception):
    """A JSON-RPC 2.0 error object (section 5.1), raised anywhere below the server.

    `code` is -32000 for a refused transaction or failed execution, as geth answers.
    """

    def __init__(self, code: int, message: str, data: Json = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class InvalidParams(RpcError):
    """The caller's parameters do not parse (-32602)."""

    def __init__(self, message: str) -> None:
        super().__init__(-32602, message)


class Refused(RpcError):
    """A transaction or call that the chain does not accept (-32000)."""

    def __init__(self, message: str) -> None:
        super().__init__(-32000, message)


class Reverted(RpcError):
    """The contract reverted (code 3, as geth answers); `data` is the revert data in hex."""

    def __init__(self, message: str, output: bytes) -> None:
        super().__init__(3, message, "0x" + output.hex())
        self.output = output


class TooMuch(RpcError):
    """An answer or a request beyond the server's bounds (-32005, EIP-1474 "limit exceeded")."""

    def __init__(self, message: str) -> None:
        super().__init__(-32005, message)
