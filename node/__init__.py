"""The node: one daemon per participant, and the command line around it.

Read `daemon` first (its `run` is a table of contents), then `follower`, `performer` and the `perform_*` files (one a
duty), `journal` and `guard` (what is written down before anything is said).
"""
