"""The mode `lightsecagg`: see `mode`, then `coded` (the code), `dealing` (junk has a name), `pieces`, `masksum`."""
