"""What makes few skulls into many: one transform a file, drawn from a seed, replayed from what was drawn.

Places are millimetres (R, A, S) from the centre of the vault, tensors (..., 3); voxel tensors are
(K, J, I) on a canonical head grid, whose axes are (S, A, R).
"""
