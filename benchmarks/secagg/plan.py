"""Which systems do which jobs, how often, and what of a row is not as measured elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.secagg.jobs import Job

LIGHTSECAGG, RLWE, BFV = "foedus/lightsecagg", "foedus/rlwe", "foedus/bfv"
MODES = {
    "foedus": "masked",
    LIGHTSECAGG: "lightsecagg",
    RLWE: "rlwe",
    BFV: "bfv",
    "flower": "secagg+",
    "fedml": "lightsecagg",
    "tenseal": "ckks",
    "limit": "keystream, add",
}
PARTS = [
    "quantise",
    "mask",
    "quantise_and_mask",
    "agree_quantise_and_mask",
    "vector_root",
    "tree",
    "check_shares",
    "unmask_2_workers",
]
LIMIT_PARTS = ["add_client", "sha256", "sha256_1k"]
M = 1_000_000

NOTES = {
    "foedus": "one client; survivors' vectors of three distinct ones; aggregate_s makes the tree of sums that fraud "
    "proofs need, masks included; unmask_s checks the seeds and removes the masks from the sum",
    LIGHTSECAGG: "one client; survivors' vectors of three distinct ones; aggregate_s makes the tree of sums; unmask_s "
    "is one receiver's part, the others' put together, and the sum of the vectors",
    RLWE: "one client; survivors' vectors of three distinct ones; aggregate_s makes the tree of sums; unmask_s is one "
    "member's part, the others' put together, and the sum of the vectors",
    BFV: "one client; aggregate_s checks and adds all survivors' ciphertexts; unmask_s is both holders' parts, their "
    "difference, and the tree of sums; what a key holder checks of each bundle before the freeze is not in it",
    "flower": "one client; survivors' vectors of three distinct ones; secrets recovered from all shares that arrive",
    "fedml": "one client; survivors' vectors of three distinct ones; unmask_s is one client's part and the server's",
    "tenseal": "one client; its ciphertext is added once a survivor",
    "limit": "client_s: ChaCha20 keystream of a participant's masks; aggregate_s: numpy adds of the survivors' vectors",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One job for some systems, each repeated `times`, taking turns."""

    job: Job
    systems: tuple[str, ...]
    times: int


ALL = ("limit", "foedus", LIGHTSECAGG, RLWE, BFV, "flower", "fedml", "tenseal")
LIGHT = ("limit", "foedus", LIGHTSECAGG, RLWE, "flower", "fedml")
GRAPHS = ("limit", "foedus", RLWE, "flower")

PLAN = (
    Entry(Job(20, M, 0), ALL, 3),
    Entry(Job(10, M, 0), ALL, 3),
    Entry(Job(50, M, 12), GRAPHS, 3),
    Entry(Job(100, M, 14), GRAPHS, 1),
    Entry(Job(50, M, 0), ALL, 1),
    Entry(Job(10, 10 * M, 0), ALL, 1),
    Entry(Job(20, 10 * M, 0), LIGHT, 1),
    Entry(Job(50, 10 * M, 12), LIGHT, 1),
    Entry(Job(100, M, 0), ("limit", "foedus", LIGHTSECAGG, RLWE, "fedml", "tenseal"), 1),
    Entry(Job(100, 10 * M, 14), GRAPHS, 1),
)
"""Left out, for time: Flower's complete graph of 100, whose shares alone take it minutes; CKKS beyond a sum of nine and
LightSecAgg beyond 50 at 10M parameters; complete graphs of 50 and 100 at 10M."""


def mode_of(system: str, job: Job) -> str:
    """The mode's name, with the graph where the system has one."""
    graph = f"{job.degree} neighbours" if job.degree else "complete graph"
    return f"{MODES[system]}, {graph}" if system in ("limit", "foedus", "flower") else MODES[system]
