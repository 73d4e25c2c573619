"""Networks, model packages, prediction coarse to fine, the mirror method, post-processing.

Torch and MONAI live here, but not in ``manifest`` and ``catalogue``, which Slicer's process reads.
"""
