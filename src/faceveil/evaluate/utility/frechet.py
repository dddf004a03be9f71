"""How far two sets of pictures lie apart as sets: the Fréchet distance of their features, as in FID."""

from __future__ import annotations

from typing import Any

import numpy as np


def frechet(one: Any, other: Any) -> float:
    """The squared Fréchet distance of two normal distributions with the means and covariances of rows (n, d), (m, d).

    Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017, where the rows are features of Inception. The
    trace of the root of the product of both covariances is the sum of the singular values of one set's centred rows
    times the other's: no root of a matrix is taken, and sets with fewer rows than columns are no trouble. Raises
    `ValueError` for fewer than two rows.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError("a covariance needs two rows")
    means, roots = zip(*(_root(np.asarray(rows, np.float64)) for rows in (one, other)), strict=True)
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    apart = ((means[0] - means[1]) ** 2).sum() + (roots[0] ** 2).sum() + (roots[1] ** 2).sum() - 2 * shared
    return max(0.0, float(apart))


def _root(rows: Any) -> tuple[Any, Any]:
    """The mean (d,), and a matrix R with R.T @ R the covariance, at most (d, d)."""
    mean = rows.mean(0)
    centred = (rows - mean) / np.sqrt(len(rows) - 1)
    return mean, centred if len(rows) <= rows.shape[1] else np.linalg.qr(centred, mode="r")
