"""Accounts in Web3 Secret Storage v3 files, one an account; keys never leave them but in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from foedus.node.errors import BadPassphrase, NodeError, NoKey
from foedus.node.home import Home, write_private
from foedus.protocol.ids import Address

SCRYPT_N = 1 << 18
SCRYPT_N_LIGHT = 1 << 12
"""For throw-away devnet keys: a thousandth of a second instead of one."""


def accounts(home: Home) -> list[Address]:
    """The keystore's addresses, oldest file first."""
    files = sorted(home.keystore.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [Address(path.stem) for path in files]


def add(home: Home, private_key: bytes, passphrase: str, *, light: bool = False) -> Address:
    """Encrypt a 32-byte private key into the keystore. Raises NodeError where the account is there already."""
    account: LocalAccount = Account.from_key(private_key)
    path = home.keystore / f"{account.address}.json"
    if path.exists():
        raise NodeError(f"{path} exists already: the key of {account.address} is in the keystore")
    sealed: dict[str, Any] = Account.encrypt(
        private_key, passphrase, kdf="scrypt", iterations=SCRYPT_N_LIGHT if light else SCRYPT_N
    )
    home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    home.keystore.mkdir(exist_ok=True, mode=0o700)
    write_private(path, json.dumps(sealed, indent=1).encode())
    return Address(account.address)


def new(home: Home, passphrase: str, *, light: bool = False) -> Address:
    """A fresh account from the operating system's randomness."""
    return add(home, os.urandom(32), passphrase, light=light)


def read_foreign(path: Path, passphrase: str) -> bytes:
    """The private key in somebody's v3 file, or in a file of 64 hex digits. Raises NodeError or BadPassphrase."""
    text = _read(path)
    if text.startswith("{"):
        return _decrypt(path, text, passphrase)
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise NodeError(f"{path} is neither a Web3 Secret Storage v3 file nor 64 hex digits")
    return key


def unlock(home: Home, account: str, passphrase: str) -> LocalAccount:
    """The account named, or the oldest one. Raises NoKey or BadPassphrase."""
    known = accounts(home)
    if not known or (account and account not in known):
        raise NoKey(home.keystore)
    path = home.keystore / f"{account or known[0]}.json"
    unlocked: LocalAccount = Account.from_key(_decrypt(path, path.read_text(encoding="utf-8"), passphrase))
    return unlocked


def unlock_file(path: Path, passphrase: str) -> LocalAccount:
    """The account of a Web3 Secret Storage v3 file, wherever it lies. Raises NodeError or BadPassphrase."""
    text = _read(path)
    if not text.startswith("{"):
        raise NodeError(f"{path} is no Web3 Secret Storage v3 file: `foedus key import` takes a bare key")
    unlocked: LocalAccount = Account.from_key(_decrypt(path, text, passphrase))
    return unlocked


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NodeError(f"{path} cannot be read: {error}") from error


def _decrypt(path: Path, text: str, passphrase: str) -> bytes:
    try:
        return bytes(Account.decrypt(json.loads(text), passphrase))
    except (ValueError, KeyError, TypeError) as error:
        raise BadPassphrase(path) from error


def read_passphrase(path: Path) -> str:
    """The first line of a passphrase file. Raises NodeError where others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise NodeError(f"{path} is readable by others: run `chmod 600 {path}`")
        return path.read_text(encoding="utf-8").split("\n", 1)[0]
    except OSError as error:
        raise NodeError(f"the passphrase file {path} cannot be read: {error.strerror}") from error
