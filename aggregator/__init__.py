"""Masked updates in, the next model out: secure aggregation, the sum tree, the server's rule, and the audit of it all.

Read in this order. Before a commit: `layout` (who masks with whom), `keys`, `seeds`, `update` (a model's change as
lanes), `updatestream`, `masking`, `shares`, `bundle`. At the freeze: `freeze` (what is checked, who survives). After
it: `messages` and `unmask` (what becomes public), `unmasked` (the list of it), `sumtree` (how it adds up, provably),
`integers`, `state`, `averaging`, `adaptive` and `rules` (what the server makes of it), `aggregate`. At any time later:
`audit`, `audit_round`, `report`; `inputs` and `fraud` (proofs of what is wrong). Other ways to hide an update: `modes`
(what such a mode has to say for itself), `parts`, and the packages `lightsecagg`, `he` (bfv, ckks) and `rlwe`.
`docs/aggregation.md`, `docs/modes.md` and `docs/rules.md` have the formulas and pictures.
"""
