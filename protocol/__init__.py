"""The protocol as pure functions and frozen types: what the network agrees on, with no input or output.

Read in this order: `ids` (the names of things), `terms` (what a task promises), `events` (what the chain says),
`task` (the state that the events fold into), `duties` (what each participant owes, and when).
`groups`, `fixedpoint`, `manifest`, `merkle` and `commitments` are the arithmetic beneath them.
"""
