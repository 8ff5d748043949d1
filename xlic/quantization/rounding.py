"""Rounding kernels so that their errors cancel on real inputs.

Rounding each weight to the nearest integer minimizes the error of the weight, not that of the sum
it goes into. Neighbouring samples of feature maps are strongly correlated, so an error made on one
weight can be made good on those that see nearly the same values: weights are rounded one after the
other, and the part of each error that the remaining weights can express is moved to them. This is
optimal brain quantization in the order-independent form of GPTQ (Frantar, Ashkboos, Hoefler,
Alistarh, arXiv 2210.17323), with the second moment of the layer's input patches as the Hessian.

Only the choice between neighbouring integers changes; the arithmetic stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, lapack

Float64 = NDArray[np.float64]

_DAMPING = 1e-2
"""Share of the mean diagonal added to it, so that directions never seen cannot run away."""


def compensated_round(weights: Float64, moment: Float64, limit: int) -> Float64:
    """Round ``weights`` to integers with little effect on ``inputs @ weights``.

    Args:
        weights: ``(K, Cout)``, scaled so that one is the step.
        moment: ``(K, K)``, the mean of ``input · inputᵀ`` in any one unit.
        limit: largest magnitude of a result.

    Returns:
        Integers as float64 ``(K, Cout)``.
    """
    size = weights.shape[0]
    mean = float(np.trace(moment)) / size
    if mean <= 0:
        return np.clip(np.floor(weights + 0.5), -limit, limit)
    # Weights of strong inputs first: their errors find the most partners to be made good by.
    order = np.argsort(-np.diagonal(moment), kind="stable")
    damped = moment[np.ix_(order, order)] + _DAMPING * mean * np.eye(size)
    # Rows of the upper factor of the inverse tell how the rest must move after each rounding.
    inverse, _ = lapack.dpotri(cholesky(damped, lower=True), lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    upper = cholesky(inverse, lower=False)
    remaining = weights[order].copy()
    rounded = np.empty_like(remaining)
    for i in range(size):
        rounded[i] = np.clip(np.floor(remaining[i] + 0.5), -limit, limit)
        error = (remaining[i] - rounded[i]) / upper[i, i]
        remaining[i + 1 :] -= upper[i, i + 1 :, None] * error
    result = np.empty_like(rounded)
    result[order] = rounded
    return result
