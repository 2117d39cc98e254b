"""Whether a participant knew what it encrypted: the tag that it tells its key holder, in a box.

The tag is a hash of all that was encrypted, salts included. Whoever makes a ciphertext from somebody else's, or from
the key, does not know what is in it, and so cannot tell its tag.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from numpy.typing import NDArray

from foedus.aggregator.bundle import BadBox, box_place
from foedus.aggregator.he.ciphertexts import MalformedCiphertexts
from foedus.aggregator.he.params import SALT_BITS, SALTS, Parameters
from foedus.aggregator.he.seal import Decryptor
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import BOX_OVERHEAD, Layout
from foedus.aggregator.modes import NoPart
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Hash32, Position

BOX_BYTES = BOX_OVERHEAD + 32
_REMEMBERED = 4096

Encrypted = NDArray[np.uint32]
"""What is encrypted, integers in two's complement or modulo t: uint32, shape (batches, 4096), salts included."""

_found: dict[tuple[Context, Position, Hash32, bytes], Hash32] = {}
"""Tags that were found already, by opening, participant, key and ciphertexts: hashes, of which none is secret."""


class Refused(NoPart):
    """A holder does not do its part: what it would publish could open more than a sum of updates."""


def salts(count: int, random: Random) -> Encrypted:
    """The salts of so many ciphertexts: shape (count, 4)."""
    drawn = np.frombuffer(random(4 * SALTS * count), dtype=">u4") & np.uint32((1 << SALT_BITS) - 1)
    return drawn.astype(np.uint32).reshape(count, SALTS)


def tag_of(context: Context, layout: Layout, owner: Position, encrypted: Encrypted) -> Hash32:
    """What a participant tells its key holder of what it encrypted. Nobody can make it who does not know it all."""
    digest = sha256(encrypted.astype(">u4").tobytes()).digest()
    return tagged("foedus/known/v1", context.to_bytes(), layout.roster[owner].address.lower().encode(), digest)


def found_tag(
    layout: Layout,
    context: Context,
    owner: Position,
    key: Hash32,
    vector: bytes,
    secret: bytes,
    parameters: Parameters,
    integers: Callable[[NDArray[Any]], Encrypted],
) -> Hash32:
    """The tag of what a participant's ciphertexts hold.

    key: the digest of the key that it names; secret: of my announcement; integers: what a decryption means. What was
    decrypted before the freeze is not decrypted again after it. Raises BadBox where that key is not mine, or the vector
    is none of ciphertexts.
    """
    if secret[:32] != key:
        raise BadBox(f"position {owner} encrypted under another key than the one that I announced here")
    place = (context, owner, key, sha256(vector).digest())
    if place not in _found:
        try:
            parameters.form.check(vector, max(1, len(vector) // parameters.form.size))
        except MalformedCiphertexts as error:
            raise BadBox(str(error)) from error
        _found[place] = tag_of(context, layout, owner, integers(decrypted(vector, secret, parameters)))
        while len(_found) > _REMEMBERED:
            _found.pop(next(iter(_found)), None)
    return _found[place]


def decrypted(ciphertexts: bytes, secret: bytes, parameters: Parameters) -> NDArray[Any]:
    """All lanes, shape (batches, 4096), as `Decryptor` gives them. secret: of my announcement."""
    return np.stack(list(Decryptor(parameters, secret[32:]).decrypt(ciphertexts)))


def sealed_word(
    layout: Layout, context: Context, me: Position, receiver: Position, keys: RoundKeys, word: bytes, random: Random
) -> bytes:
    """A box of 32 bytes for a holder, good for this opening and these two accounts alone."""
    other = layout.roster[receiver]
    place = box_place(context, layout.roster[me].address, other.address)
    box = Box(PrivateKey(keys.box), PublicKey(other.box_key))
    return bytes(box.encrypt(place + word, random(Box.NONCE_SIZE)))


def opened_word(
    layout: Layout, context: Context, owner: Position, sealed: bytes, me: Position, keys: RoundKeys
) -> bytes:
    """The 32 bytes in a box for me. Raises BadBox."""
    sender, mine = layout.roster[owner], layout.roster[me]
    try:
        plain = Box(PrivateKey(keys.box), PublicKey(sender.box_key)).decrypt(sealed)
    except (CryptoError, ValueError, RuntimeError) as error:
        raise BadBox(f"the box of position {owner} for {mine.address} does not open") from error
    if len(plain) != 64 or plain[:32] != box_place(context, sender.address, mine.address):
        raise BadBox(f"the box of position {owner} for {mine.address} was sealed for another place")
    return bytes(plain[32:])
