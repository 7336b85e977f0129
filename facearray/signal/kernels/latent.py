"""Few components that many measures are made of, fitted to samples that come in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["METHODS", "DecompositionMethod", "Latent", "Moments", "Parts", "fit"]

Array = NDArray[np.float64]

DecompositionMethod = Literal["pca", "ica", "nmf", "factor"]

METHODS: tuple[str, ...] = get_args(DecompositionMethod)

#: Gives every so many of the samples (n, n_measure) once more, in parts, without missing values.
Parts = Callable[[int], Iterator[Array]]


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """Components, and how they are found in samples.

    Attributes
    ----------
    components
        (n_component, n_measure): a sample is about ``mean + scale * (scores @ components)``.
    mean, scale
        (n_measure,).
    weights
        (n_measure, n_component): scores are ``((sample - mean) / scale) @ weights``; None if they are not linear.
    estimator
        As fitted by scikit-learn, of samples / scale; gives the scores that are not linear.
    share
        Share (n_component,) of the variance, of the standardised measures if there is a scale, that each component
        makes up in its reconstruction.
    n
        Samples that were used.
    """

    components: Array
    mean: Array
    scale: Array
    weights: Array | None
    estimator: Any
    share: Array
    n: int

    def scores(self, x: NDArray[np.floating]) -> Array:
        """Compute scores (n, n_component) of samples (n, n_measure); NaN where a measure is missing."""
        found = np.full((len(x), len(self.components)), np.nan)
        there = ~np.isnan(x).any(axis=1)
        if there.any():
            samples = (x[there] - self.mean) / self.scale
            if self.weights is None:
                found[there] = self.estimator.transform(samples)
            else:
                found[there] = samples @ self.weights
        return found

    def inverse(self, scores: NDArray[np.floating]) -> Array:
        """Give samples (n, n_measure) that have these scores."""
        return np.asarray(self.mean + self.scale * (scores @ self.components))


def fit(
    parts: Parts,
    moments: Moments,
    n_components: int,
    method: DecompositionMethod,
    *,
    standardize: bool,
    max_samples: int,
    seed: int,
) -> Latent:
    """Fit components.

    Principal components and factors follow from the moments: nothing is approximated, however many samples there are.
    The others need samples at hand: all, if they are no more than
    ``max_samples``, else every second, third, and so on.

    Parameters
    ----------
    parts
        Gives the samples.
    moments
        Of all of them.
    n_components
        Components.
    method
        ``"pca"``, ``"ica"``, ``"nmf"`` or ``"factor"``.
    standardize
        Whether measures are divided by their standard deviation.
    max_samples
        Most that are in memory.
    seed
        Of what is random in a method.
    """
    spread = np.sqrt(np.diag(moments.products) / moments.n)
    # what does not vary is not to be blown up
    scale = np.where(spread > 1e-12 * np.abs(moments.mean), spread, 1.0) if standardize else np.ones_like(spread)
    products = moments.products / scale / scale[:, None]
    total = float(np.trace(products)) / moments.n
    if method == "nmf":
        return _nmf(_at_hand(parts, moments.n, max_samples), scale, n_components, seed)
    if method == "ica":
        x = _at_hand(parts, moments.n, max_samples)
        return _ica(x, moments, scale, total, n_components, seed)
    estimator = _of_products(products, moments, scale, n_components, method)
    components = np.asarray(estimator.components_, dtype=np.float64)
    if method == "pca":
        weights, variance = components.T, np.asarray(estimator.explained_variance_ratio_) * total
    else:
        # the posterior mean of the factors
        precise = components / estimator.noise_variance_
        weights = np.linalg.solve(np.eye(n_components) + precise @ components.T, precise).T
        variance = np.ones(n_components)
    return _ordered(components, weights, estimator, moments, scale, total, variance, moments.n)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Number, mean (p,), and sums of products of deviations (p, p) of samples."""

    n: int
    mean: Array
    products: Array

    @classmethod
    def of(cls, parts: Iterator[Array]) -> Moments:
        """Gather them, part by part (Chan, Golub and LeVeque 1983)."""
        total: Moments | None = None
        for x in parts:
            if not len(x):
                continue
            mean = x.mean(axis=0)
            deviations = x - mean
            part = cls(len(x), mean, deviations.T @ deviations)
            total = part if total is None else total.with_other(part)
        if total is None:
            return cls(0, np.zeros(0), np.zeros((0, 0)))
        return total

    def with_other(self, other: Moments) -> Moments:
        """Put those of other samples to them."""
        n = self.n + other.n
        shift = other.mean - self.mean
        return Moments(
            n,
            self.mean + shift * (other.n / n),
            self.products + other.products + np.outer(shift, shift) * (self.n * other.n / n),
        )


def _of_products(products: Array, moments: Moments, scale: Array, n_components: int, method: str) -> Any:
    """Fit scikit-learn's estimator to few samples that have the covariance of the many, and give it their mean."""
    from sklearn.decomposition import PCA, FactorAnalysis

    n = moments.n
    values, vectors = np.linalg.eigh(products)
    root = vectors * np.sqrt(np.maximum(values, 0))
    # each twice, with both signs, so that their mean is 0: 2 p samples
    few = np.concatenate([root.T, -root.T]) * np.sqrt(0.5)
    if method == "pca":
        # its covariance has the denominator n - 1
        estimator = PCA(n_components, svd_solver="full").fit(few * np.sqrt((len(few) - 1) / (n - 1)))
        estimator.n_samples_, estimator.singular_values_ = n, np.sqrt(estimator.explained_variance_ * (n - 1))
    else:
        # the likelihood, by whose growth it stops, is that of few samples and grows less
        estimator = FactorAnalysis(n_components, svd_method="lapack", tol=1e-10, max_iter=20_000)
        estimator.fit(few * np.sqrt(len(few) / n))
    estimator.mean_ = moments.mean / scale
    return estimator


def _at_hand(parts: Parts, n: int, max_samples: int) -> Array:
    """All samples, or every second, third, ... of each source, in an order that depends on their values only."""
    every = -(-n // max_samples)
    x = np.concatenate(list(parts(every)))
    return x[np.lexsort(x.T)]


def _ica(x: Array, moments: Moments, scale: Array, total: float, n_components: int, seed: int) -> Latent:
    from sklearn.decomposition import FastICA

    estimator = FastICA(n_components, whiten="unit-variance", random_state=seed, max_iter=2000, tol=1e-5)
    estimator.fit((x - moments.mean) / scale)
    estimator.mean_ = moments.mean / scale
    variance = np.ones(n_components)
    return _ordered(estimator.mixing_.T, estimator.components_.T, estimator, moments, scale, total, variance, len(x))


def _nmf(x: Array, scale: Array, n_components: int, seed: int) -> Latent:
    from sklearn.decomposition import NMF

    estimator = NMF(n_components, init="nndsvda", random_state=seed, max_iter=5000, tol=1e-6)
    strength = estimator.fit_transform(x / scale).sum(axis=0)
    components = np.asarray(estimator.components_, dtype=np.float64)
    # a component's part of all that is reconstructed
    share = strength * components.sum(axis=1)
    order = np.argsort(-share, kind="stable")
    estimator.components_ = estimator.components_[order]
    mean = np.zeros_like(scale)
    return Latent(components[order], mean, scale, None, estimator, share[order] / share.sum(), len(x))


def _ordered(
    components: Array,
    weights: Array,
    estimator: Any,
    moments: Moments,
    scale: Array,
    total: float,
    variance: Array,
    n: int,
) -> Latent:
    """Sort by the variance that components make up, and turn each so that its largest loading is positive."""
    share = variance * (components**2).sum(axis=1) / total if total > 0 else np.full(len(components), np.nan)
    order = np.argsort(-share, kind="stable")
    largest = np.abs(components).argmax(axis=1)
    sign = np.where(components[np.arange(len(components)), largest] < 0, -1.0, 1.0)
    return Latent(
        components=(components * sign[:, None])[order],
        mean=moments.mean,
        scale=scale,
        weights=(weights * sign)[:, order],
        estimator=estimator,
        share=share[order],
        n=n,
    )
