"""The papers' experiments as commands: networks measured on skulls that they have not learned from, and compared."""
