"""Why contracts refuse: one class a Solidity error, of its name, with its values in its order.

What each means is said beside the Solidity error (`src/TaskErrors.sol`, `src/StakeVault.sol`, `src/TaskFactory.sol`,
`src/NodeRegistry.sol`); the message here says what to do.
"""

from __future__ import annotations

from foedus.contracts.errors import Reverted
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address, Hash32, Opening, Position, RoundNumber, Timestamp, Wei
from foedus.protocol.terms import Finality


class WrongPhase(Reverted):
    def __init__(self, have: Phase, need: Phase) -> None:
        self.have, self.need = Phase(have), Phase(need)
        super().__init__(f"the task is in {self.have.name}, not {self.need.name}: wait for the phase")


class CommitIsClosed(Reverted):
    def __init__(self, round: RoundNumber, deadline: Timestamp) -> None:
        super().__init__(f"commits of round {round} closed at {deadline}: advertise keys for the next opening")
        self.round, self.deadline = round, deadline


class TooLate(Reverted):
    def __init__(self, phase: Phase, deadline: Timestamp) -> None:
        self.phase, self.deadline = Phase(phase), deadline
        super().__init__(f"{self.phase.name} ended at {deadline}: poke the task on")


class NothingToDo(Reverted):
    def __init__(self, phase: Phase, until: int) -> None:
        self.phase, self.until = Phase(phase), until
        unit = "block" if self.phase is Phase.DRAW else "second"
        super().__init__(f"{self.phase.name} lasts until {unit} {until}: poke after it")


class TaskIsOver(Reverted):
    def __init__(self) -> None:
        super().__init__("the task is over: leave it, and claim what it owes")


class NotFactory(Reverted):
    def __init__(self, caller: Address) -> None:
        super().__init__(f"{caller} is not the factory: create tasks through it")
        self.caller = caller


class WrongConsent(Reverted):
    def __init__(self, have: Hash32, need: Hash32) -> None:
        super().__init__(
            f"consent 0x{have.hex()} is not the digest of the terms, 0x{need.hex()}: read the task's terms"
        )
        self.have, self.need = have, need


class AlreadyJoined(Reverted):
    def __init__(self, account: Address, position: Position) -> None:
        super().__init__(f"{account} already has seat {position}")
        self.account, self.position = account, position


class NotEnrolled(Reverted):
    def __init__(self, account: Address) -> None:
        super().__init__(f"{account} has no seat in the task: join it")
        self.account = account


class TaskFull(Reverted):
    def __init__(self, seats: int) -> None:
        super().__init__(f"all {seats} seats are taken: wait until one is given up")
        self.seats = seats


class AlreadyReady(Reverted):
    def __init__(self, account: Address, opening: Opening) -> None:
        super().__init__(f"{account} already has keys for opening {opening}")
        self.account, self.opening = account, opening


class StillBound(Reverted):
    def __init__(self, account: Address, opening: Opening) -> None:
        super().__init__(f"{account} takes part in opening {opening}: leave when its round is over")
        self.account, self.opening = account, opening


class NotEligible(Reverted):
    def __init__(self, account: Address, opening: Opening) -> None:
        super().__init__(f"{account} may not act in opening {opening}: advertise keys for the next one")
        self.account, self.opening = account, opening


class AlreadyCommitted(Reverted):
    def __init__(self, account: Address, opening: Opening) -> None:
        super().__init__(f"{account} already committed in opening {opening}")
        self.account, self.opening = account, opening


class StaleGeneration(Reverted):
    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"commit counter {have} is not {need}: this node's state is not the latest, sit the round out")
        self.have, self.need = have, need


class MalformedBitmap(Reverted):
    def __init__(self, length: int, domain: int) -> None:
        super().__init__(f"{length} bytes are no canonical bitmap of {domain} seats")
        self.length, self.domain = length, domain


class MalformedPairs(Reverted):
    def __init__(self, length: int) -> None:
        super().__init__(f"{length} bytes are no sorted list of at most 64 pairs")
        self.length = length


class SurvivorsOutOfRange(Reverted):
    def __init__(self, have: int, need: int, most: int) -> None:
        super().__init__(f"{have} survivors: at least {need} and at most {most}, the commits, can be frozen")
        self.have, self.need, self.most = have, need, most


class WrongSurvivors(Reverted):
    def __init__(self, have: bytes, need: bytes) -> None:
        super().__init__(f"survivors of digest 0x{have.hex()} are not those frozen, 0x{need.hex()}")
        self.have, self.need = have, need


class TooFewSignatures(Reverted):
    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"{have} signatures < {need}, the committee's quorum: gather more")
        self.have, self.need = have, need


class SignaturesMismatch(Reverted):
    def __init__(self, signers: int, length: int) -> None:
        super().__init__(f"{length} bytes are not one signature of 65 bytes for each of {signers} signers")
        self.signers, self.length = signers, length


class SignersNotAscending(Reverted):
    def __init__(self, seat: int) -> None:
        super().__init__(f"seat {seat} is out of order or twice among the signers")
        self.seat = seat


class NotCommitteeMember(Reverted):
    def __init__(self, recovered: Address, index: int) -> None:
        super().__init__(f"signature {index} is by {recovered}, who is no committee member")
        self.recovered, self.index = recovered, index


class BeaconPending(Reverted):
    def __init__(self, beacon_block: int) -> None:
        super().__init__(f"block {beacon_block} draws the aggregators: propose after it")
        self.beacon_block = beacon_block


class NotYourTurn(Reverted):
    def __init__(self, rank: int, next_rank: int, open: int) -> None:
        super().__init__(f"rank {rank} may not propose yet: it is the turn of {next_rank} and {open} after it")
        self.rank, self.next_rank, self.open = rank, next_rank, open


class PayoutOutOfRange(Reverted):
    def __init__(self, total: Wei, pool: Wei) -> None:
        super().__init__(f"payouts of {total} are more than the pool of {pool}")
        self.total, self.pool = total, pool


class WrongFinality(Reverted):
    def __init__(self, have: Finality) -> None:
        self.have = Finality(have)
        how = "finalize it with a quorum" if self.have is Finality.FAST else "settle it after its window"
        super().__init__(f"proposals of this task become final otherwise ({self.have.name}): {how}")


class NotStanding(Reverted):
    def __init__(self, have: Hash32, need: Hash32) -> None:
        super().__init__(
            f"the chain of proposals ends in 0x{need.hex()}, not in 0x{have.hex()}: read the task's log again"
        )
        self.have, self.need = have, need


class AlreadyFinal(Reverted):
    def __init__(self, round: RoundNumber) -> None:
        super().__init__(f"round {round} is final already")
        self.round = round


class WindowIsOpen(Reverted):
    def __init__(self, round: RoundNumber, until: Timestamp) -> None:
        super().__init__(f"the proposal of round {round} may be refuted until {until}: settle it after that")
        self.round, self.until = round, until


class DemandIsOpen(Reverted):
    def __init__(self, round: RoundNumber) -> None:
        super().__init__(f"a demand keeps round {round} from being final: settle it when that is answered")
        self.round = round


class NotFinal(Reverted):
    def __init__(self, round: RoundNumber, final_rounds: int) -> None:
        super().__init__(f"round {round} is not final, {final_rounds} are: use a final one's proposal")
        self.round, self.final_rounds = round, final_rounds


class NotLast(Reverted):
    def __init__(self, round: RoundNumber) -> None:
        super().__init__(f"round {round} is not the last: use the last proposal")
        self.round = round


class NotCourt(Reverted):
    def __init__(self, caller: Address) -> None:
        super().__init__(f"{caller} is not the court: prove the fault to it")
        self.caller = caller


class AlreadyConvicted(Reverted):
    def __init__(self, proposal: Hash32) -> None:
        super().__init__(f"proposal 0x{proposal.hex()} was refuted before")
        self.proposal = proposal


class NothingAtStake(Reverted):
    def __init__(self, account: Address) -> None:
        super().__init__(f"{account} has nothing at stake in the task")
        self.account = account


class NotGuardian(Reverted):
    def __init__(self, caller: Address, guardian: Address) -> None:
        super().__init__(f"{guardian} is the guardian, {caller} is not")
        self.caller, self.guardian = caller, guardian


class PauseIsSpent(Reverted):
    def __init__(self, paused_seconds: int) -> None:
        super().__init__(f"the task was paused for {paused_seconds} s, as long as a task can be")
        self.paused_seconds = paused_seconds


class TaskIsPaused(Reverted):
    def __init__(self) -> None:
        super().__init__("the task is paused: wait until it is resumed")


class MayStillCommit(Reverted):
    def __init__(self, account: Address, opening: Opening) -> None:
        super().__init__(f"{account} may still commit in opening {opening}, and send its keys with that")
        self.account, self.opening = account, opening


class NotAdmitted(Reverted):
    def __init__(self, account: Address) -> None:
        super().__init__(f"{account} was not admitted by the sponsor, and the task is not open")
        self.account = account


class SignatureExpired(Reverted):
    def __init__(self, deadline: Timestamp) -> None:
        super().__init__(f"the signature counted until {deadline}: sign anew")
        self.deadline = deadline


class WrongNonce(Reverted):
    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"nonce {have} is not {need}: sign anew")
        self.have, self.need = have, need


class WrongSigner(Reverted):
    def __init__(self, recovered: Address, need: Address) -> None:
        super().__init__(f"the signature is by {recovered}, not by {need}")
        self.recovered, self.need = recovered, need


class StakeIsThawing(Reverted):
    def __init__(self, account: Address, thaw_at: Timestamp) -> None:
        super().__init__(f"the stake of {account} can be collected from {thaw_at}")
        self.account, self.thaw_at = account, thaw_at


class NothingToCollect(Reverted):
    def __init__(self, account: Address) -> None:
        super().__init__(f"{account} has no stake that thaws in the task: leave it first")
        self.account = account


class ForeignImplementation(Reverted):
    def __init__(self, implementation: Address, factory: Address) -> None:
        super().__init__(f"implementation {implementation} belongs to factory {factory}")
        self.implementation, self.factory = implementation, factory


class TokenNotAllowed(Reverted):
    def __init__(self, token: Address) -> None:
        super().__init__(f"no task can pay in {token}: use ether, or a token that the network allows")
        self.token = token


class PoolMismatch(Reverted):
    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"the task received {have} of the pool's {need}: the token keeps a part")
        self.have, self.need = have, need


class BadProof(Reverted):
    def __init__(self, account: Address, payout_root: Hash32) -> None:
        super().__init__(
            f"the proof does not place {account}'s payout under 0x{payout_root.hex()}: use the final payouts"
        )
        self.account, self.payout_root = account, payout_root


class NothingToClaim(Reverted):
    def __init__(self, account: Address, claimed: Wei) -> None:
        super().__init__(f"{account} has been paid {claimed} wei, all that is owed so far")
        self.account, self.claimed = account, claimed


class NotSponsor(Reverted):
    def __init__(self, caller: Address, sponsor: Address) -> None:
        super().__init__(f"{sponsor} is the sponsor, {caller} is not")
        self.caller, self.sponsor = caller, sponsor


class RemainderTaken(Reverted):
    def __init__(self) -> None:
        super().__init__("the remainder was already returned")


class TransferFailed(Reverted):
    def __init__(self, account: Address, amount: Wei) -> None:
        super().__init__(f"{account} refused {amount} wei, or the contract holds less")
        self.account, self.amount = account, amount


class StakeTooLow(Reverted):
    def __init__(self, have: Wei, need: Wei) -> None:
        super().__init__(f"stake {have} < {need} wei: run `foedus stake deposit`")
        self.have, self.need = have, need


class NotATask(Reverted):
    def __init__(self, caller: Address) -> None:
        super().__init__(f"{caller} is not a task: only tasks lock and release stakes")
        self.caller = caller


class ParamOutOfRange(Reverted):
    def __init__(self, name: str, value: int, low: int, high: int) -> None:
        super().__init__(f"{name} = {value}: it must be from {low} to {high}")
        self.name, self.value, self.low, self.high = name, value, low, high


class NoTreasury(Reverted):
    def __init__(self) -> None:
        super().__init__("the protocol's share needs a receiver: name a treasury address")


class PeerIdOutOfRange(Reverted):
    def __init__(self, length: int, most: int) -> None:
        super().__init__(f"a peer id of {length} bytes: it must have 1 to {most}")
        self.length, self.most = length, most


class TooManyAddresses(Reverted):
    def __init__(self, have: int, most: int) -> None:
        super().__init__(f"{have} addresses: announce at most {most}")
        self.have, self.most = have, most


class AddressesTooLong(Reverted):
    def __init__(self, have: int, most: int) -> None:
        super().__init__(f"addresses of {have} bytes together: announce at most {most}")
        self.have, self.most = have, most
