"""What the Trainer's panel does, without a window: runs begun, watched, stopped and gone on with.

All computing is done by ``cranial`` in processes of its own, which outlive Slicer; this room starts them and
reads the folders that they write. It loads neither torch nor Qt: the panel's timer calls ``poll``, and so may
a script.
"""
