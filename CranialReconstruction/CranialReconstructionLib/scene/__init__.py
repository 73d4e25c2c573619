"""MRML: nodes in, nodes out. Runs in the application and on slicer-core alike, and knows no Qt.

Everything takes the scene or nodes as arguments and speaks of places in RAS millimetres of the world:
linear transforms above a node are part of where it lies. ``case`` is always the parameter node of a case.
"""
