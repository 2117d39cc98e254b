// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Signatures that come many at a time: 65 bytes each (r, s, v), one after the other.
library Signatures {
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Who made the signature at `index`; zero, which is no participant, where nobody did.
    /// @dev One signature has one form: s in the lower half of the order (EIP-2), v 27 or 28.
    /// @param signatures whose length the caller checked.
    function recover(bytes32 digest, bytes calldata signatures, uint256 index) internal view returns (address signer) {
        assembly ("memory-safe") {
            let start := add(signatures.offset, mul(65, index))
            let free := mload(0x40)
            mstore(free, digest)
            mstore(add(free, 0x20), byte(0, calldataload(add(start, 0x40))))
            calldatacopy(add(free, 0x40), start, 0x40)
            mstore(0x00, 0) // stays where the precompile finds no key and answers nothing
            if iszero(gt(mload(add(free, 0x60)), HALF_ORDER)) {
                pop(staticcall(gas(), 0x01, free, 0x80, 0x00, 0x20))
            }
            signer := mload(0x00)
        }
    }
}
