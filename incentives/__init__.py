"""Who is paid what: pure functions of finished rounds, recomputable by anyone."""
