"""From a PyTorch model, a dataset and a loss to a participant's update.

Read in this order: `trainer` (the interface: one pure function), `app` (the user's one Python file), `taskfile` (the
TOML that describes a task), `build` (terms, manifest and first model from both), `client` (what a node or a simulation
calls each round). Only `torch_trainer` and `torch_data` import torch, and nothing imports them before they are needed.
"""
