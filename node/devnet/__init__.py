"""The embedded chain: an Ethereum devnet in one process, kept on disk, answering JSON-RPC over HTTP."""
