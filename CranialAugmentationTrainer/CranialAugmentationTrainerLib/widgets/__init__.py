"""The Trainer's panel: Qt, and nothing else; what it does is in ``workflow`` and ``scene``."""
