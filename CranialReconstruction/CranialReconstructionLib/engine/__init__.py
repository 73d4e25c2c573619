"""The worker process that holds torch and keeps the model warm, and the client that speaks with it.

Slicer's process imports ``client``, ``environment``, ``faults`` and ``arguments``, which need nothing but the
standard library. Torch is imported in the worker only, by the operations that need it.
"""
