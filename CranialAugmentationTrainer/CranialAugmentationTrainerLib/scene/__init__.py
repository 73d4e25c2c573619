"""What training shows in Slicer's scene: curves, previews, ways through a latent space, registered pairs.

Runs in the application and on slicer-core alike, and knows no Qt and no torch. ``trainer`` is always the Trainer's
parameter node: it owns what is made here, as a case's node owns the first module's (``scene.case``), and all of it
is saved and loaded with the scene.
"""
