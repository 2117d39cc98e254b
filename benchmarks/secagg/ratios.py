"""What the figures of one job say side by side: each ratio is of medians of the same run."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.secagg.jobs import Job

Figures = Mapping[str, float]


def ratios_of(job: Job, by_system: Mapping[str, Figures]) -> dict[str, float]:
    """by_system: medians by phase and part, peaks in bytes under `peak_…`."""
    ours, limit, vector = by_system["foedus"], by_system["limit"], 4 * job.params
    rooted = 1 + (1 + 65) / 1024  # bytes that a vector's root hashes, over the vector's: a leaf's prefix, a node a leaf
    found = {
        "mask_over_keystream": ours["mask"] / limit["client_s"],
        "quantise_and_mask_over_keystream": ours["quantise_and_mask"] / limit["client_s"],
        "mask_over_keystream_and_adds": ours["mask"] / (limit["client_s"] + limit["add_client"]),
        "client_over_keystream": ours["client_s"] / limit["client_s"],
        "upload_bytes_per_param": ours["upload_bytes"] / job.params,
        "mask_peak_over_vector": ours["peak_mask"] / vector,
        "quantise_and_mask_peak_over_vector": ours["peak_quantise_and_mask"] / vector,
        "vector_root_of_sha256": limit["sha256"] * rooted / ours["vector_root"],
        "vector_root_of_sha256_in_1k_pieces": limit["sha256_1k"] * rooted / ours["vector_root"],
        "tree_of_sha256": limit["sha256"] * ours["hashed"] / vector / ours["tree"],
        "tree_of_sha256_in_1k_pieces": limit["sha256_1k"] * ours["hashed"] / vector / ours["tree"],
        "check_shares_s": ours["check_shares"],
    }
    light, peer = by_system.get("foedus/lightsecagg"), by_system.get("fedml")
    if light is not None and peer is not None:
        both = peer["aggregate_s"] + peer["unmask_s"]
        found["fedml_client_lightsecagg"] = peer["client_s"] / light["client_s"]
        found["fedml_client_quantise_and_encode"] = peer["client_s"] / light["quantise_and_mask"]
        found["fedml_unmasked_sum"] = both / light["unmask_s"]
        found["fedml_server_lightsecagg"] = both / (light["aggregate_s"] + light["unmask_s"])
        found["fedml_upload_lightsecagg"] = peer["upload_bytes"] / light["upload_bytes"]
    short, peer = by_system.get("foedus/rlwe"), by_system.get("flower")
    if short is not None and peer is not None:
        for name in ("client_s", "quantise_and_mask", "unmask_s"):
            found[f"flower_{name.removesuffix('_s')}_rlwe"] = peer[name] / short[name]
    padded, peer = by_system.get("foedus/bfv"), by_system.get("tenseal")
    if padded is not None and peer is not None:
        both = peer["client_s"] + peer["aggregate_s"]
        found["tenseal_encrypt_and_add_bfv"] = both / (padded["client_s"] + padded["aggregate_s"])
        found["tenseal_upload_bfv"] = peer["upload_bytes"] / padded["upload_bytes"]
        found["upload_bytes_per_param_bfv"] = padded["upload_bytes"] / job.params
    for name in ("flower", "fedml", "tenseal"):
        peer = by_system.get(name)
        if peer is None:
            continue
        found[f"{name}_client"] = peer["client_s"] / ours["client_s"]
        found[f"{name}_unmask"] = peer["unmask_s"] / ours["unmask_s"]
        found[f"{name}_unmask_2_workers"] = peer["unmask_s"] / ours["unmask_2_workers"]
        both = peer["aggregate_s"] + peer["unmask_s"]
        found[f"{name}_aggregate_and_unmask"] = both / (ours["aggregate_s"] + ours["unmask_s"])
        found[f"{name}_upload"] = peer["upload_bytes"] / ours["upload_bytes"]
        if "quantise_and_mask" in peer:  # Flower's agrees on keys there
            found[f"{name}_quantise_and_mask"] = peer["quantise_and_mask"] / ours["agree_quantise_and_mask"]
    return {name: float(f"{value:.3g}") for name, value in found.items()}
