"""Volumes and their geometry, files, the skull in a CT, the canonical head grid.

Frames: voxel arrays are (K, J, I), places are RAS millimetres. SimpleITK, which lives in LPS, is
entered and left in ``volume.py`` alone.
"""
