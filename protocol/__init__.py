"""The protocol as pure functions and frozen types: what the network agrees on, with no input or output.

Read in this order: `ids` (the names of things), `terms` (what a task promises), `events` (what the chain says),
`transitions` (which may come when), `round` and `task` (the state that they fold into), `duties` (what each
participant owes, and when). `groups`, `fixedpoint`, `chunks`, `manifest`, `merkle`, `bitmap` and `commitments` are
the arithmetic beneath them; `ports` is what the core asks of the world.
"""
