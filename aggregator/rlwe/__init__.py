"""The experimental mode `rlwe`: see `mode`, then `noisy` and `ring` (masks), `vectorshares`, `envelope`, `opening`."""
