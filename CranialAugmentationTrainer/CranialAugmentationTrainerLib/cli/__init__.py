"""The commands that this library adds to ``cranial``."""
