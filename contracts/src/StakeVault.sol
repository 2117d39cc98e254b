// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Who knows which contracts are tasks.
interface TaskList {
    /// @notice Whether `task` is a clone that the factory made.
    function isTask(address task) external view returns (bool);
}

/// @title Participants' stakes: free to withdraw, or locked by the tasks they joined.
contract StakeVault {
    /// @notice An account's stake in wei: one word.
    struct Stake {
        uint128 free;
        uint128 locked;
    }

    /// @notice `amount` was added to the account's free stake by `from`.
    event Deposited(address indexed account, address indexed from, uint256 amount);
    /// @notice `amount` of free stake went back to the account.
    event Withdrawn(address indexed account, uint256 amount);
    /// @notice A task locked `amount` of the account's free stake.
    event StakeLocked(address indexed account, address indexed task, uint256 amount);
    /// @notice A task released `amount` to the account's free stake.
    event StakeReleased(address indexed account, address indexed task, uint256 amount);

    /// @notice A task took `amount` of the account's locked stake: `share` went to `challenger`, the rest to the treasury.
    event StakeSlashed(
        address indexed account, address indexed task, uint256 amount, address indexed challenger, uint256 share
    );

    /// @notice The free stake is less than what is needed.
    error StakeTooLow(uint256 have, uint256 need);
    /// @notice Only tasks that the factory made lock and release.
    error NotATask(address caller);
    /// @notice The receiver refused the payment.
    error TransferFailed(address account, uint256 amount);

    /// @notice Who may lock and release.
    TaskList public immutable TASKS;
    /// @notice Who receives what challengers do not.
    address public immutable TREASURY;
    mapping(address account => Stake) private _stakes;

    constructor(TaskList tasks, address treasury) {
        TASKS = tasks;
        TREASURY = treasury;
    }

    modifier onlyTask() {
        if (!TASKS.isTask(msg.sender)) revert NotATask(msg.sender);
        _;
    }

    /// @notice The account's free and locked stake, in wei.
    function stakeOf(address account) external view returns (uint128 free, uint128 locked) {
        Stake memory stake = _stakes[account];
        return (stake.free, stake.locked);
    }

    /// @notice Adds the value sent to the caller's free stake.
    function deposit() external payable {
        _deposit(msg.sender);
    }

    /// @notice Adds the value sent to `account`'s free stake.
    function depositFor(address account) external payable {
        _deposit(account);
    }

    /// @notice Returns `amount` of free stake to the caller.
    function withdraw(uint128 amount) external {
        Stake storage stake = _stakes[msg.sender];
        if (stake.free < amount) revert StakeTooLow(stake.free, amount);
        stake.free -= amount;
        emit Withdrawn(msg.sender, amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert TransferFailed(msg.sender, amount);
    }

    /// @notice Locks `amount` of `account`'s free stake. Only a task may call.
    function lock(address account, uint128 amount) external onlyTask {
        Stake memory stake = _stakes[account];
        if (stake.free < amount) revert StakeTooLow(stake.free, amount);
        _stakes[account] = Stake(stake.free - amount, stake.locked + amount);
        emit StakeLocked(account, msg.sender, amount);
    }

    /// @notice Releases `amount` of `account`'s locked stake. Only a task may call.
    function release(address account, uint128 amount) external onlyTask {
        Stake memory stake = _stakes[account];
        _stakes[account] = Stake(stake.free + amount, stake.locked - amount);
        emit StakeReleased(account, msg.sender, amount);
    }

    /// @notice Takes `amount` of `account`'s locked stake: `share` of it becomes the challenger's free stake, the rest the
    /// treasury's. Only a task may call.
    function slash(address account, uint128 amount, address challenger, uint128 share) external onlyTask {
        _stakes[account].locked -= amount;
        _stakes[challenger].free += share;
        _stakes[TREASURY].free += amount - share;
        emit StakeSlashed(account, msg.sender, amount, challenger, share);
    }

    function _deposit(address account) private {
        _stakes[account].free += uint128(msg.value); // all the ether there is fits 128 bits
        emit Deposited(account, msg.sender, msg.value);
    }
}
