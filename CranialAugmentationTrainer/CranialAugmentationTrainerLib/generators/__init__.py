"""What makes cases that no one has: one method a file, all of them from standard normal latents.

A method draws (defective skull, defect) pairs; ``method.Generator`` says what each of them can do,
``registry`` names them, ``settings`` holds their presets.
"""
