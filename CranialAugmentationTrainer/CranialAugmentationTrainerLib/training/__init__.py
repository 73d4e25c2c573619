"""One loop for every network: configurations, cases, run folders, checkpoints, resume."""
