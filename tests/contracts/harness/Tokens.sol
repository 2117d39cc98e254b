// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title A token as it should be, with permits.
contract Coin is ERC20Permit {
    constructor(address owner) ERC20("Coin", "COIN") ERC20Permit("Coin") {
        _mint(owner, 1e24);
    }
}

/// @title A token that keeps a hundredth of every transfer.
contract Tax is ERC20 {
    constructor(address owner) ERC20("Tax", "TAX") {
        _mint(owner, 1e24);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(this), value / 100);
    }
}

/// @title A token that says yes and moves nothing.
contract Air is ERC20 {
    constructor() ERC20("Air", "AIR") {}

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @title Calls back once in the middle of a payment.
abstract contract Intruder {
    address private _target;
    bytes private _call;
    bool public intruded;
    bytes public answer;

    /// @notice Says what to call back.
    function arm(address target, bytes calldata call) external {
        (_target, _call, intruded) = (target, call, false);
    }

    function _intrude() internal {
        if (_target == address(0) || intruded) return;
        intruded = true;
        bool done;
        (done, answer) = _target.call(_call);
        if (done) answer = "done";
    }
}

/// @title A token that calls back whenever it is moved.
contract Spy is ERC20, Intruder {
    constructor(address owner) ERC20("Spy", "SPY") {
        _mint(owner, 1e24);
    }

    function _update(address from, address to, uint256 value) internal override {
        _intrude();
        super._update(from, to, value);
    }
}

/// @title A receiver that calls back whenever it is paid.
contract Greedy is Intruder {
    receive() external payable {
        _intrude();
    }
}
