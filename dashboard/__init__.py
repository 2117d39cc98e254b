"""The dashboard: what a chain and a store say about every task, for reading, with an audit at the press of a button.

Read in this order: `follower` (the chain's log, folded), `timeline` (each attempt's moments), `library` (terms from the
store), `rewards`, `verifier` (audits), `projection` (all of it as plain data), `pages` and `app` (that data as HTML and
JSON), `serve`. Nothing here sends a transaction or writes to a store.
"""
