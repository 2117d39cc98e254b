"""A whole task in one process: the same training, masks, sums and rule as the network's, without chain or sockets.

Read in this order: `ports` (what is asked of whoever learns), `seating` (a round as the chain would tell it), `attempt`
(one round's path from updates to the next model), `simulate` (the loop), `alone` (the baseline without the others).
"""
