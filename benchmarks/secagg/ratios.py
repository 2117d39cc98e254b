"""What the figures of one job say side by side: each ratio is of medians of the same run."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.secagg.jobs import Job

Figures = Mapping[str, float]


def ratios_of(job: Job, by_system: Mapping[str, Figures]) -> dict[str, float]:
    """by_system: medians by phase and part, peaks in bytes under `peak_…`."""
    ours, limit, vector = by_system["foedus"], by_system["limit"], 4 * job.params
    found = {
        "mask_over_keystream": ours["mask"] / limit["client_s"],
        "quantise_and_mask_over_keystream": ours["quantise_and_mask"] / limit["client_s"],
        "mask_over_keystream_and_adds": ours["mask"] / (limit["client_s"] + limit["add_client"]),
        "client_over_keystream": ours["client_s"] / limit["client_s"],
        "upload_bytes_per_param": ours["upload_bytes"] / job.params,
        "mask_peak_over_vector": ours["peak_mask"] / vector,
        "quantise_and_mask_peak_over_vector": ours["peak_quantise_and_mask"] / vector,
        "vector_root_of_sha256": limit["sha256"] / ours["vector_root"],
        "vector_root_of_sha256_in_1k_pieces": limit["sha256_1k"] / ours["vector_root"],
        "tree_of_sha256": limit["sha256"] * ours["hashed"] / vector / ours["tree"],
        "tree_of_sha256_in_1k_pieces": limit["sha256_1k"] * ours["hashed"] / vector / ours["tree"],
        "check_shares_s": ours["check_shares"],
    }
    for name in ("flower", "fedml", "tenseal"):
        peer = by_system.get(name)
        if peer is None:
            continue
        found[f"{name}_client"] = peer["client_s"] / ours["client_s"]
        found[f"{name}_unmask"] = peer["unmask_s"] / ours["unmask_s"]
        both = peer["aggregate_s"] + peer["unmask_s"]
        found[f"{name}_aggregate_and_unmask"] = both / (ours["aggregate_s"] + ours["unmask_s"])
        found[f"{name}_upload"] = peer["upload_bytes"] / ours["upload_bytes"]
        if "quantise_and_mask" in peer:
            found[f"{name}_quantise_and_mask"] = peer["quantise_and_mask"] / ours["quantise_and_mask"]
    return {name: float(f"{value:.3g}") for name, value in found.items()}
