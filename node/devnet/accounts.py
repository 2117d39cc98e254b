"""The development accounts: keys everyone knows, rich on this chain and worth nothing elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from eth_account.hdaccount import key_from_seed, seed_from_mnemonic
from eth_keys.datatypes import PrivateKey
from eth_typing import Address

TEST_MNEMONIC = "test test test test test test test test test test test junk"


@dataclass(frozen=True, slots=True)
class DevAccount:
    """`address` is 20 bytes, `key` the 32-byte secp256k1 private key."""

    address: Address
    key: bytes


def dev_accounts(mnemonic: str = TEST_MNEMONIC, count: int = 10) -> tuple[DevAccount, ...]:
    """The first `count` accounts of a BIP-39 phrase along m/44'/60'/0'/0/i (BIP-44), as anvil derives them.

    Raises eth_utils.ValidationError for a phrase that is not BIP-39.
    """
    seed = seed_from_mnemonic(mnemonic, "")
    keys = (key_from_seed(seed, f"m/44'/60'/0'/0/{index}") for index in range(count))
    return tuple(DevAccount(Address(PrivateKey(key).public_key.to_canonical_address()), key) for key in keys)
