"""Linear discriminant analysis of the same units under many labellings and splits at once.

What scikit-learn's ``LinearDiscriminantAnalysis`` (solver ``svd``) computes anew for every fit is shared: the units are
whitened by their total scatter once, and the scatter within the classes of a training set is what is left of it when
the units that are held out and the class means are taken away. Fits are solved in stacks.

Where there are as many features as units the pseudo-inverse depends on the scale of each feature within the classes, so
that nothing but the stacking can be shared. Wherever rounding could decide (a rank, a tie between classes), a fit is
marked as unsure; it is to be left to scikit-learn itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array

__all__ = ["Discriminant"]

#: Numbers of a stack of fits that are in memory together.
_MAX_VALUES = 4 * 2**20

#: By what factor a singular value has to differ from the tolerance for its side of it to be sure.
_APART = 1.1

#: Share of the tolerance below which a singular value of the total scatter stays below it when features are scaled
#: anew, by no more than the root of 1 / `_LEAST_WITHIN`.
_NONE = 1e-2

#: Least share of a feature's variance that is within classes, for dimensions to be left out.
_LEAST_WITHIN = 1e-2

#: The same factor for directions between class means, which are told by squares of singular values.
_WIDE = 10.0

#: Two classes whose discriminants differ by less than this share of them are tied.
_TIE = 1e-7

#: The smallest eigenvalue of whitened scatter within classes that rounding leaves exact enough.
_SMALLEST = 1e-6

Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Discriminant:
    """Predictions of linear discriminant analysis for units that are labelled and split in many ways.

    Parameters
    ----------
    X
        (n, p) values of the units, all finite.
    tol
        Singular values of the scaled scatter within classes that are not larger are zero, as for scikit-learn.

    Notes
    -----
    With whitened units z (total scatter Z'Z = I), T the units held out and b the class sums over the roots of the class
    sizes, the scatter within the classes of a training set is I - T'T - b'b. This holds for the pseudo-inverse, too, if
    the units have no more dimensions than the training set leaves within classes. scikit-learn scales the features by
    their standard deviation within classes and then drops singular values up to `tol`: the scaling cannot lower the
    smallest singular value that is not zero, so that whether any would be dropped can be told without it.
    """

    X: Array
    tol: float = 1e-4
    _z: Array = field(init=False)
    _standard: Array = field(init=False)
    _loading: Array = field(init=False)
    _least: float = field(init=False)
    _reduced: bool = field(init=False)
    _zero: Mask = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.X)
        used = self.X[:, (self.X != 0).any(axis=0)]
        centred = used - used.mean(axis=0)
        spread = np.sqrt((centred**2).mean(axis=0))
        standard = centred / np.where(spread > 0, spread, 1)
        U, s, Vt = np.linalg.svd(standard, full_matrices=False)
        relative = s / np.sqrt(n)
        kept = relative > _APART * self.tol
        # In a constant feature scikit-learn may take rounding for variance; what it makes of it only it can say.
        constant = bool((used == used[:1]).all(axis=0).any())
        clear = not constant and not (~kept & (relative > _NONE * self.tol)).any()
        self._set("_z", U[:, kept])
        self._set("_loading", (Vt[kept].T * s[kept]))
        self._set("_standard", standard)
        self._set("_least", float(s[kept].min(initial=np.inf)) if clear else 0.0)
        self._set("_reduced", int(kept.sum()) < standard.shape[1])
        self._set("_zero", used == 0)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def predict(self, codes: Index, test: Mask, n_classes: int) -> tuple[Index, Mask]:
        """Predict the class of held-out units.

        Parameters
        ----------
        codes
            (m, n) class of each unit, in m labellings.
        test
            (m, f, n) whether a unit is held out in each of f folds of a labelling; the others are the training set.
        n_classes
            Number of classes; a training set may lack some.

        Returns
        -------
        predicted : ndarray
            (m, f, n) classes, of use where a unit is held out.
        sure : ndarray
            (m, f): whether they are certain to be scikit-learn's.
        """
        m, f, n = test.shape
        predicted, sure = np.zeros((m, f, n), np.intp), np.zeros((m, f), bool)
        p = self._standard.shape[1]
        # there are matrices over units only where these are not many more than features
        width = n * max(p, min(n, 2 * (p + n_classes)))
        step = max(1, _MAX_VALUES // (width * f))
        for start in range(0, m, step):
            rows = slice(start, start + step)
            here = test[rows].reshape(-1, n)
            labels = np.repeat(codes[rows], f, axis=0)
            # a fit of its own where even those of one labelling are too many for memory
            parts = range(0, len(here), max(1, _MAX_VALUES // width))
            found = [self._fit(labels[i : i + parts.step], here[i : i + parts.step], n_classes) for i in parts]
            predicted[rows] = np.concatenate([p for p, _ in found]).reshape(-1, f, n)
            sure[rows] = np.concatenate([s for _, s in found]).reshape(-1, f)
        return predicted, sure

    def _fit(self, codes: Index, test: Mask, n_classes: int) -> tuple[Index, Mask]:
        """Predict for fits (j, n), each by the cheapest way that is sure of it."""
        predicted, sure = np.zeros(codes.shape, np.intp), np.zeros(len(codes), bool)
        for way in (self._by_total_scatter, self._by_units, self._by_singular_values):
            left = np.flatnonzero(~sure)
            if not len(left):
                break
            fits = _Fits(codes[left], test[left], n_classes)
            predicted[left], sure[left] = way(fits)
        return predicted, sure

    def _by_total_scatter(self, fits: _Fits) -> tuple[Index, Mask]:
        """For fewer dimensions than the training set leaves within classes."""
        z, r = self._z, self._z.shape[1]
        if not r or self._least == 0 or r > (fits.n_train - fits.n_classes).max():
            return fits.unsure
        sums = fits.members @ z
        held_out = fits.held_out(z)
        within = np.eye(r) - held_out.swapaxes(1, 2) @ held_out
        within -= (sums / np.maximum(fits.sizes, 1)[..., None]).swapaxes(1, 2) @ sums
        try:
            inverse = np.linalg.inv(within)
        except np.linalg.LinAlgError:
            return fits.unsure
        n_train = fits.n_train[:, None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            smallest = 1 / np.sqrt((inverse**2).sum(axis=(1, 2)))
            sure = (smallest > _SMALLEST) & (self._least**2 / fits.n_train * smallest > (_APART * self.tol) ** 2)
        if self._reduced:
            # The dimensions that are left out have to stay out when scikit-learn scales the features.
            variance = np.einsum("pa,jab,pb->jp", self._loading, within, self._loading) / n_train[:, :, 0]
            sure &= (variance > _LEAST_WITHIN).all(axis=1)
        centre = sums.sum(axis=1, keepdims=True) / n_train
        means = sums / np.maximum(fits.sizes, 1)[..., None] - centre
        weights = n_train * (means @ inverse)
        cross = weights @ z.T - weights @ centre.swapaxes(1, 2)
        classes, clear = fits.decide(cross, weights @ means.swapaxes(1, 2), self.tol, r)
        return classes, sure & clear

    def _by_units(self, fits: _Fits) -> tuple[Index, Mask]:
        """For at least as many features as the training set leaves dimensions within classes: a matrix over units.

        If the features leave none of these dimensions out, only the class means and the units that are held out have
        none, so that their projector makes the matrix regular.
        """
        if self._standard.shape[1] < (fits.n_train - fits.n_classes).min():
            return fits.unsure
        all_units, within, clear = self._scaled(fits)
        projector = fits.members.swapaxes(1, 2) @ (fits.members / np.maximum(fits.sizes, 1)[..., None])
        projector += fits.test[:, :, None] * np.eye(fits.test.shape[1])
        gram = within @ within.swapaxes(1, 2)
        try:
            inverse = np.linalg.inv(gram + projector)
        except np.linalg.LinAlgError:
            return fits.unsure
        with np.errstate(divide="ignore", invalid="ignore"):
            clear &= 1 / np.sqrt((inverse**2).sum(axis=(1, 2))) > max((_APART * self.tol) ** 2, _SMALLEST)
        whitened = all_units @ within.swapaxes(1, 2) @ (inverse - projector)
        classes, decided = fits.decide_whitened(whitened, self.tol)
        return classes, clear & decided

    def _by_singular_values(self, fits: _Fits) -> tuple[Index, Mask]:
        """For any number of dimensions: those that scikit-learn drops are dropped one by one."""
        all_units, within, clear = self._scaled(fits)
        try:
            _, s, Vt = np.linalg.svd(within, full_matrices=False)
        except np.linalg.LinAlgError:
            return fits.unsure
        kept = s > self.tol
        clear &= kept.any(axis=1) & ((s > _APART * self.tol) | (s < self.tol / _APART)).all(axis=1)
        axes = Vt.swapaxes(1, 2) * np.where(kept, 1 / np.where(kept, s, 1), 0)[:, None]
        classes, decided = fits.decide_whitened(all_units @ axes, self.tol)
        return classes, clear & decided

    def _scaled(self, fits: _Fits) -> tuple[Array, Array, Mask]:
        """All units around the mean of the training set, those of it around their classes', in units of the latter."""
        means = fits.members @ self._standard / np.maximum(fits.sizes, 1)[..., None]
        of_unit = np.take_along_axis(means, fits.codes[..., None], axis=1)
        within = np.where(fits.test[..., None], 0, self._standard - of_unit)
        variance = (within**2).sum(axis=1) / fits.n_train[:, None]
        absent = ~(~fits.test @ ~self._zero)
        clear: Mask = (absent | (variance > _SMALLEST)).all(axis=1)
        scale = np.sqrt(np.where(absent | (variance == 0), 1, variance))[:, None]
        within = np.where(absent[:, None], 0, within) / scale
        centre = (means * fits.sizes[..., None]).sum(axis=1, keepdims=True) / fits.n_train[:, None, None]
        all_units = np.where(absent[:, None], 0, self._standard - centre) / scale
        return all_units, within / np.sqrt(fits.n_train)[:, None, None], clear


class _Fits:
    """A stack of j training sets of the same n units, with their labels."""

    def __init__(self, codes: Index, test: Mask, n_classes: int) -> None:
        self.codes, self.test, self.n_classes = codes, test, n_classes
        one_hot = (codes[:, None] == np.arange(n_classes)[:, None]) & ~test[:, None]
        self.members: Array = one_hot.astype(float)  # (j, k, n)
        self.sizes: Array = self.members.sum(axis=2)  # (j, k)
        self.n_train: Array = self.sizes.sum(axis=1)  # (j,)

    @property
    def unsure(self) -> tuple[Index, Mask]:
        """No prediction."""
        return np.zeros(self.codes.shape, np.intp), np.zeros(len(self.codes), bool)

    def held_out(self, z: Array) -> Array:
        """Rows of held-out units, (j, most of a fit, r); zeros fill up."""
        most = int(self.test.sum(axis=1).max(initial=0))
        first = np.argsort(~self.test, axis=1, kind="stable")[:, :most]
        there = np.take_along_axis(self.test, first, axis=1)
        rows: Array = z[first] * there[..., None]
        return rows

    def decide_whitened(self, units: Array, tol: float) -> tuple[Index, Mask]:
        """Decide by distances of units (j, n, q) that are whitened within classes, around their overall mean."""
        means = self.members @ units / np.maximum(self.sizes, 1)[..., None]
        turned = means.swapaxes(1, 2)
        rank = min(units.shape[2], self.test.shape[1])
        return self.decide((units @ turned).swapaxes(1, 2), means @ turned, tol, rank)

    def decide(self, cross: Array, gram: Array, tol: float, rank: int) -> tuple[Index, Mask]:
        """Decide for the largest discriminant, and say whether no other comes near.

        Parameters
        ----------
        cross
            (j, k, n) products of class means and units, in the metric of the scatter within classes.
        gram
            (j, k, k) products of the means with one another.
        tol
            Directions between classes whose singular value is not larger than this share of the largest are left out
            by scikit-learn; here they make a fit unsure.
        rank
            Most dimensions that the means can differ in.
        """
        absent = self.sizes == 0
        prior = np.where(absent, -np.inf, np.log(np.maximum(self.sizes, 1) / self.n_train[:, None]))
        own = np.diagonal(gram, axis1=1, axis2=2)
        discriminant = cross + (prior - own / 2)[..., None]
        classes = discriminant.argmax(axis=1)
        ordered = np.sort(discriminant, axis=1)
        size = 1 + np.where(absent[..., None], 0, np.abs(cross)).max(axis=1) + own.max(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            apart = ordered[:, -1] - ordered[:, -2] > _TIE * size if self.n_classes > 1 else np.ones_like(size, bool)
        clear: Mask = (apart | ~self.test).all(axis=1) & (self.n_train > self.n_classes)
        if self.n_classes > 2:
            clear &= self._means_differ(gram, tol, rank)
        return classes, clear

    def _means_differ(self, gram: Array, tol: float, rank: int) -> Mask:
        """Whether the class means differ clearly in as many directions as they can."""
        weight = np.sqrt(self.sizes)
        squares = np.linalg.eigvalsh(gram * weight[:, None] * weight[..., None])[:, ::-1]
        n_directions = np.minimum((self.sizes > 0).sum(axis=1) - 1, rank)
        last = np.take_along_axis(squares, np.maximum(n_directions - 1, 0)[:, None], axis=1)[:, 0]
        clear: Mask = (n_directions < 2) | (last > (_WIDE * tol) ** 2 * squares[:, 0])
        return clear
