"""From a CT or a skull mask to the missing bone, its implant, its checks and its files.

The rooms, in the order in which a case walks through them:

- ``imaging``         volumes and their geometry, files, the skull in a CT, the canonical head grid
- ``reconstruction``  networks, model packages, prediction coarse to fine, the mirror method
- ``implant``         from missing bone to a solid that can be printed: design, surface, checks, export, report
- ``evaluation``      the field's metrics, for a case or a cohort
- ``engine``          the worker process that holds torch, its protocol, its client
- ``cli``             the command line ``cranial``

``imaging`` imports none of the others; the others import ``imaging``.
"""

__version__ = "0.1.0"
