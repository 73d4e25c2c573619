"""Training reconstruction networks, and what makes their training sets larger than life.

- ``datasets``      skulls and defects on disk, splits by skull
- ``augmentation``  one transform a file: geometric, registration, deformable masking
- ``training``      one loop: run folders, checkpoints, events, resume
- ``cli``           the commands that this library adds to ``cranial``
"""
