"""From a CT or a skull mask to the missing bone, its implant, its checks and its files.

The rooms, in the order in which a case walks through them:

- ``imaging``         volumes and their geometry, files, the skull in a CT, the canonical head grid
- ``reconstruction``  networks, model packages, prediction coarse to fine, the mirror method
- ``evaluation``      the field's metrics, for a case or a cohort
- ``cli``             the command line ``cranial``

``imaging`` imports none of the others; the others import ``imaging``.
"""

__version__ = "0.1.0"
