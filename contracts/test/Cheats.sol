// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What a test asks of forge.
interface Cheats {
    function addr(uint256 key) external pure returns (address);
    function deal(address account, uint256 amount) external;
    function getBlockNumber() external view returns (uint256);
    function getBlockTimestamp() external view returns (uint256);
    function getCode(string calldata artifact) external view returns (bytes memory);
    function prank(address sender) external;
    function roll(uint256 number) external;
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function warp(uint256 timestamp) external;
}

Cheats constant VM = Cheats(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
