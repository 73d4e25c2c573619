"""A case's way through the steps: nodes in, a job of the worker's, nodes out.

Each step is a function that begins a ``Task`` and returns at once; what it finds is put into the scene when
the task has ended well, and the scene is untouched otherwise. No Qt: the panel's timer calls ``Tasks.poll``,
a script calls ``Tasks.wait``, and the tests do so on Slicer's core.
"""
