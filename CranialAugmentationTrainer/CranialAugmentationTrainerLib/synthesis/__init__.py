"""Many cases from a generator: post-processing, quality, sets on disk, and how a set compares with real cases."""
