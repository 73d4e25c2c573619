"""Latents in two dimensions, and how far the sources mix in the latent space itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from CranialReconstructionLib.errors import UserError

Points = npt.NDArray[np.float64]
Method = Literal["tsne", "umap"]

FEWEST = 5
PERPLEXITY = 30.0
NEIGHBOURS = 15


def embed(latents: npt.NDArray[np.float32], method: Method = "tsne", seed: int = 0) -> Points:
    """Places (N, 2) of latents (N, D), all sources together.

    t-SNE with a perplexity of 30, UMAP with 15 neighbours, their authors' values, or less where there are
    few cases; t-SNE starts from the principal components. In both, only who is near whom means anything:
    distances between groups, and their sizes, do not.

    Raises:
        UserError: another method, or fewer than ``FEWEST`` cases.
    """
    count = len(latents)
    if method not in get_args(Method):
        raise UserError(f"method {method!r} is unknown", where="--method", remedy=f"Choose {' or '.join(METHODS)}.")
    if count < FEWEST:
        raise UserError(f"{count} cases make no picture", where="latent space", remedy=f"Give {FEWEST} cases or more.")
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(PERPLEXITY, (count - 1) / 3.0)
        # One thread, as for UMAP below: threads wait for one another longer than they compute.
        with threadpool_limits(1):
            reducer = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
            return np.asarray(reducer.fit_transform(latents), float)
    # Takes seconds to import.
    from umap import UMAP

    # With a seed it works on one thread, so that the same latents give the same picture.
    return np.asarray(
        UMAP(n_neighbors=min(NEIGHBOURS, count - 1), random_state=seed, n_jobs=1).fit_transform(latents), float
    )


def mixing(
    latents: npt.NDArray[np.float32], sources: Sequence[str], neighbours: int = 10
) -> Mapping[str, tuple[float, float]]:
    """By source: the share of its cases' nearest latents that is of the same source, and what chance gives.

    Measured in the latent space, where a picture of it may mislead. Sources that cannot be told apart have
    about what chance gives; 1 says that a source lies by itself.
    """
    kinds = np.array(sources)
    count = min(neighbours, len(latents) - 1)
    # The nearest of all is the latent itself, or one exactly like it.
    near = NearestNeighbors(n_neighbors=count + 1).fit(latents).kneighbors(latents, return_distance=False)
    own = np.arange(len(latents))[:, None]
    others = [row[row != number][:count] for row, number in zip(near, own.ravel(), strict=True)]
    return {
        kind: (
            float(np.mean([np.mean(kinds[others[number]] == kind) for number in np.flatnonzero(kinds == kind)])),
            float((np.count_nonzero(kinds == kind) - 1) / (len(kinds) - 1)),
        )
        for kind in dict.fromkeys(sources)
    }


METHODS: tuple[Method, ...] = get_args(Method)
