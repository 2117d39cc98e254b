"""The figures of the last run as the tables in benchmarks/README.md.

python -m benchmarks.secagg.table
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"
RATIOS = {
    "mask_over_keystream": "masks added, over the keystream alone (target: at most 1.5 with quantising)",
    "mask_over_keystream_and_adds": "the same, over keystream and plain additions",
    "quantise_and_mask_over_keystream": "quantised and masked, over the keystream (target: at most 1.5)",
    "flower_quantise_and_mask": "Flower's agreeing, quantising and masking, over ours (target: at least 6 at n = 20)",
    "flower_client": "Flower's whole client, over ours",
    "flower_unmask": "Flower's unmasking, over ours (target: at least 40 at n = 20)",
    "flower_unmask_2_workers": "the same, over ours by two processes, on the wall's clock",
    "flower_aggregate_and_unmask": "Flower's server, over ours with its provable tree",
    "flower_client_rlwe": "Flower's whole client, over our rlwe's (target: at least 15)",
    "flower_quantise_and_mask_rlwe": "Flower's agreeing, quantising and masking, over rlwe's quantising and masking",
    "flower_unmask_rlwe": "Flower's unmasking, over rlwe's, which sums the vectors too",
    "fedml_client": "FedML's client, over ours",
    "fedml_client_quantise_and_encode": "FedML's client, over the same steps in our lightsecagg (target: at least 5)",
    "fedml_client_lightsecagg": "FedML's client, over our lightsecagg's, which seals, proves and hashes too",
    "fedml_unmasked_sum": "FedML's sum and unmasking, over our lightsecagg's (target: at least 5)",
    "fedml_server_lightsecagg": "the same, over ours with its provable tree",
    "fedml_upload_lightsecagg": "FedML's upload, over our lightsecagg's",
    "tenseal_client": "CKKS's client, over ours",
    "tenseal_encrypt_and_add_bfv": "CKKS's encryption and sum, over our bfv's (target: at least 4)",
    "tenseal_upload_bfv": "CKKS's upload, over our bfv's",
    "upload_bytes_per_param_bfv": "bytes that bfv uploads a parameter (target: at most 16)",
    "upload_bytes_per_param": "bytes uploaded a parameter (target: at most 4.1)",
    "mask_peak_over_vector": "memory for masking, in vectors (target: at most 1.1)",
    "quantise_and_mask_peak_over_vector": "memory for quantising and masking, in vectors (target: at most 1.1)",
    "vector_root_of_sha256": "root of a vector, of sha256's speed in one call (target: at least 0.5)",
    "vector_root_of_sha256_in_1k_pieces": "root of a vector, of sha256's speed in pieces of 1 KiB",
    "tree_of_sha256": "sum tree, of sha256's speed in one call (target: at least 0.5)",
    "tree_of_sha256_in_1k_pieces": "sum tree, of sha256's speed in pieces of 1 KiB",
}


def line(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def rows_table(rows: list[dict[str, Any]]) -> str:
    """A line a row: seconds to three digits, bytes in millions."""
    head = ("parameters", "n", "system, mode", "client s", "aggregate s", "unmask s", "upload MB", "peak MB")
    text = line(*head) + line(*["---"] * len(head))
    for row in rows:
        seconds = [f"{row[name]:.3g}" for name in ("client_s", "aggregate_s", "unmask_s")]
        sizes = [f"{row[name] / 1e6:.1f}" for name in ("upload_bytes", "peak_bytes")]
        text += line(f"{row['params'] // 10**6}M", row["n"], f"{row['system']}, {row['mode']}", *seconds, *sizes)
    return text


def ratios_table(ratios: dict[str, dict[str, float]]) -> str:
    """A column a job."""
    names = [name.replace("params=", "").replace("000000 ", "M ").replace("graph=", "") for name in ratios]
    text = line("ratio", *names) + line(*["---"] * (1 + len(names)))
    for key, words in RATIOS.items():
        text += line(words, *[f"{job[key]:.3g}" if key in job else "" for job in ratios.values()])
    return text


if __name__ == "__main__":
    told = json.loads((RESULTS / "secagg_ratios.json").read_text())
    sys.stdout.write(
        rows_table(json.loads((RESULTS / "secagg.json").read_text())) + "\n" + ratios_table(told["ratios"])
    )
