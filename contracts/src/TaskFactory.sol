// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CloneSettings} from "./CloneSettings.sol";
import {ParamRanges} from "./ParamRanges.sol";
import {StakeVault, TaskList} from "./StakeVault.sol";
import {Task} from "./Task.sol";
import {TaskMaker} from "./TaskState.sol";
import {Params, Settings} from "./TaskTypes.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Makes tasks: clones that carry their settings in their code, the reward pool in their balance.
/// @notice The owner is a timelock. It says what future tasks are clones of, and which tokens may pay; tasks that exist
/// are beyond its reach.
contract TaskFactory is TaskList, TaskMaker, Ownable {
    using SafeERC20 for IERC20;

    /// @notice Who holds the stakes.
    StakeVault public immutable VAULT;
    /// @notice Who receives the protocol's share of every pool, and of every slash.
    address public immutable TREASURY;

    /// @notice What new tasks are clones of.
    Task public implementation;
    /// @inheritdoc TaskMaker
    address public override guardian;
    /// @inheritdoc TaskList
    mapping(address task => bool) public override isTask;
    /// @notice The tokens, beside ether, in which a task may pay: those that move exactly what they are told to.
    mapping(address token => bool) public isTokenAllowed;

    /// @notice A task began: `terms` is the digest of its terms, `law` the hash of what its fraud proofs judge by,
    /// `baseRoot` its initial model, `pool` what it holds, in `token` or (zero) ether.
    event TaskCreated(
        address indexed task,
        address indexed sponsor,
        bytes32 terms,
        bytes32 law,
        bytes32 baseRoot,
        address token,
        uint256 pool,
        Params params
    );
    /// @notice New tasks are clones of `implementation`.
    event ImplementationChanged(address indexed implementation);
    /// @notice Tasks may pay in `token`, or no longer.
    event TokenAllowed(address indexed token, bool allowed);
    /// @notice `guardian` may pause tasks.
    event GuardianChanged(address indexed guardian);

    /// @notice The protocol's share needs a receiver.
    error NoTreasury();
    /// @notice The implementation belongs to another factory.
    error ForeignImplementation(address implementation, address factory);
    /// @notice No task can pay in this token.
    error TokenNotAllowed(address token);
    /// @notice The token moved another amount.
    error PoolMismatch(uint256 have, uint256 need);

    /// @param treasury who receives the protocol's share.
    /// @param owner who sets implementation, guardian and tokens.
    /// @param guardian_ who may pause tasks.
    constructor(address treasury, address owner, address guardian_) Ownable(owner) {
        if (treasury == address(0)) revert NoTreasury();
        TREASURY = treasury;
        VAULT = new StakeVault(this, treasury);
        guardian = guardian_;
        emit GuardianChanged(guardian_);
    }

    /// @notice Says what new tasks are clones of.
    function setImplementation(Task made) external onlyOwner {
        if (made.FACTORY() != address(this)) revert ForeignImplementation(address(made), made.FACTORY());
        implementation = made;
        emit ImplementationChanged(address(made));
    }

    /// @notice Says whether tasks may pay in `token`.
    function allowToken(address token, bool allowed) external onlyOwner {
        isTokenAllowed[token] = allowed;
        emit TokenAllowed(token, allowed);
    }

    /// @notice Says who may pause tasks; zero for nobody.
    function setGuardian(address guardian_) external onlyOwner {
        guardian = guardian_;
        emit GuardianChanged(guardian_);
    }

    /// @notice Creates a task of the caller's; the value sent is its reward pool.
    /// @param terms sha256 of the canonical terms.
    /// @param law keccak256 of the encoded Law.
    /// @param baseRoot Merkle root of the initial model.
    /// @param params what the task enforces by itself.
    /// @return task the new contract.
    function createTask(bytes32 terms, bytes32 law, bytes32 baseRoot, Params calldata params)
        external
        payable
        returns (address task)
    {
        return _create(Settings(terms, law, baseRoot, msg.sender, address(0), SafeCast.toUint96(msg.value), params));
    }

    /// @notice As `createTask`, with a pool of `pool` units of an allowed ERC-20 that the caller approved, or permits
    /// with this call (ERC-2612).
    /// @param permit the owner's permit for exactly `pool`: deadline, v, r, s, ABI-encoded; empty where approved.
    function createTaskWithToken(
        bytes32 terms,
        bytes32 law,
        bytes32 baseRoot,
        Params calldata params,
        address token,
        uint96 pool,
        bytes calldata permit
    ) external returns (address task) {
        if (!isTokenAllowed[token]) revert TokenNotAllowed(token);
        task = _create(Settings(terms, law, baseRoot, msg.sender, token, pool, params));
        if (permit.length != 0) {
            (uint256 deadline, uint8 v, bytes32 r, bytes32 s) = abi.decode(permit, (uint256, uint8, bytes32, bytes32));
            // Whoever saw the permit may have spent it already: what counts is the allowance.
            try IERC20Permit(token).permit(msg.sender, address(this), pool, deadline, v, r, s) {} catch {}
        }
        IERC20(token).safeTransferFrom(msg.sender, task, pool);
        uint256 held = IERC20(token).balanceOf(task);
        if (held < pool) revert PoolMismatch(held, pool);
    }

    function _create(Settings memory settings) private returns (address task) {
        ParamRanges.check(settings.params);
        task = Clones.cloneWithImmutableArgs(address(implementation), CloneSettings.pack(settings), msg.value);
        isTask[task] = true;
        emit TaskCreated(
            task,
            settings.sponsor,
            settings.terms,
            settings.law,
            settings.baseRoot,
            settings.token,
            settings.pool,
            settings.params
        );
        Task(task).start();
    }
}
