"""From missing bone to an implant that can be printed: design, solid, checks, export.

Meshes are in RAS millimetres until they are written. No torch here.
"""
