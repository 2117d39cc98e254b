// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Where participants' nodes can be dialled: events only, the last of an account counts.
contract NodeRegistry {
    /// @notice Addresses that a node may announce.
    uint256 public constant MAX_ADDRESSES = 16;
    /// @notice Their bytes together.
    uint256 public constant MAX_BYTES = 2048;
    /// @notice Bytes of a peer id.
    uint256 public constant MAX_PEER_ID_BYTES = 128;

    /// @notice The account's node has this libp2p peer id and these multiaddresses.
    event NodeAnnounced(address indexed account, string peerId, string[] addresses);

    /// @notice The peer id has no characters, or too many.
    error PeerIdOutOfRange(uint256 length, uint256 most);
    /// @notice More addresses than a node may announce.
    error TooManyAddresses(uint256 have, uint256 most);
    /// @notice The addresses are longer, together, than a node may announce.
    error AddressesTooLong(uint256 have, uint256 most);

    /// @notice Announces the caller's node.
    /// @param peerId libp2p peer id, base58, at most 128 bytes.
    /// @param addresses at most 16 multiaddresses, 2 KiB together.
    function announce(string calldata peerId, string[] calldata addresses) external {
        uint256 length = bytes(peerId).length;
        if (length == 0 || length > MAX_PEER_ID_BYTES) revert PeerIdOutOfRange(length, MAX_PEER_ID_BYTES);
        if (addresses.length > MAX_ADDRESSES) revert TooManyAddresses(addresses.length, MAX_ADDRESSES);
        uint256 total = 0;
        for (uint256 i = 0; i < addresses.length; ++i) {
            total += bytes(addresses[i]).length;
        }
        if (total > MAX_BYTES) revert AddressesTooLong(total, MAX_BYTES);
        emit NodeAnnounced(msg.sender, peerId, addresses);
    }
}
