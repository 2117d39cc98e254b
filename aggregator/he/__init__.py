"""The modes `bfv` and `ckks`, by homomorphic encryption: `bfv`, `holders`, `keyed`, `pads`, `ciphertexts`, `seal`."""
