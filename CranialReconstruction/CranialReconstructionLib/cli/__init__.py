"""The command line ``cranial``: one file a command, no logic of its own."""
