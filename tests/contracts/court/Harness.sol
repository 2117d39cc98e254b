// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Case, Judge} from "src/Judge.sol";

/// @title A task that says what it is told to, and that remembers whom it was told to convict. It may be hostile.
contract ScriptedTask {
    mapping(bytes32 question => bytes) private _answers;
    mapping(bytes32 question => bool) private _isScripted;
    address private _target;
    bytes private _provocation;
    bool private _refuses;

    /// @notice The court called a function that no script answers.
    event Obeyed(address caller, bytes call);
    /// @notice What became of the call that the script makes when it is told to convict.
    event Provoked(bool done, bytes answer);

    error Refused();

    /// @notice Answers `question`, a selector or a whole call, with `answer` from now on.
    function script(bytes calldata question, bytes calldata answer) external {
        _answers[keccak256(question)] = answer;
        _isScripted[keccak256(question)] = true;
    }

    /// @notice Calls `target` whenever it is told to convict.
    function provoke(address target, bytes calldata call) external {
        (_target, _provocation) = (target, call);
    }

    /// @notice Reverts whenever it is told to convict.
    function refuse(bool refuses) external {
        _refuses = refuses;
    }

    receive() external payable {}

    fallback(bytes calldata call) external payable returns (bytes memory) {
        if (_isScripted[keccak256(call)]) return _answers[keccak256(call)];
        if (_isScripted[keccak256(call[:4])]) return _answers[keccak256(call[:4])];
        if (_refuses) revert Refused();
        if (_target != address(0)) {
            (bool done, bytes memory answer) = _target.call(_provocation);
            emit Provoked(done, answer);
        }
        emit Obeyed(msg.sender, call);
        return "";
    }
}

/// @title A judge that convicts whom the proof names: by the hash of the case.
contract ScriptedJudge is Judge {
    error Innocent(bytes32 have, bytes32 need);

    function judge(Case calldata case_, bytes calldata proof) external pure {
        bytes32 have = keccak256(abi.encode(case_));
        bytes32 need = abi.decode(proof, (bytes32));
        if (have != need) revert Innocent(have, need);
    }
}

/// @title An account with code: acts as it is told to, and calls back when it is paid.
contract Receiver {
    address private _target;
    bytes private _provocation;
    bool private _refuses;

    /// @notice What became of the call that it makes when it is paid.
    event Provoked(bool done, bytes answer);

    /// @notice Calls `target`, and reverts as it does.
    function act(address target, bytes calldata call) external payable {
        (bool done, bytes memory answer) = target.call{value: msg.value}(call);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    /// @notice Calls `target` whenever it is paid, or refuses payments.
    function provoke(address target, bytes calldata call, bool refuses) external {
        (_target, _provocation, _refuses) = (target, call, refuses);
    }

    receive() external payable {
        if (_refuses) revert();
        if (_target == address(0)) return;
        (bool done, bytes memory answer) = _target.call(_provocation);
        emit Provoked(done, answer);
    }
}
