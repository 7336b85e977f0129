"""What is asked of a regression, checked, and what comes out of its fit."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, unknown_names
from facearray.stats.corrections import METHODS
from facearray.stats.regression.design import Codes
from facearray.stats.regression.estimates import FEWEST_CLUSTERS, Covariance, Estimates, Link, Options

__all__ = ["Fitted", "Request", "check", "check_clusters", "covariance"]

COVARIANCES = ("nonrobust", "HC3", "CR1", "CR2", "CR3", "wild")
CLUSTERED = ("CR1", "CR2", "CR3", "wild")


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of `facearray.stats.regress`."""

    outcomes: list[str]
    contrasts: Codes | None
    intercept: bool
    unit: str
    cluster: str | None
    options: Options
    correction: str | None
    residuals: bool
    permutations: int
    blocks: str | None
    random: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fitted:
    """Estimates of each face, and what is said about all of them."""

    terms: list[str]
    faces: NDArray[Any]
    by_face: list[Estimates]
    coding: list[str]
    attrs: dict[str, Any]
    features: dict[Hashable, xr.Variable]
    labels: NDArray[Any] | None = None

    @property
    def few_treated(self) -> list[str]:
        """Terms in which nearly all clusters are the same."""
        few: set[int] = set()
        for estimates in self.by_face:
            if estimates.few_treated is not None:
                few |= {i for i, flags in enumerate(estimates.few_treated) if flags.any()}
        return [self.terms[i] for i in sorted(few)]


def covariance(cov: Covariance, cluster: str | None, link: Link = "identity") -> Covariance:
    """Covariance that is meant: with clusters never one that ignores them, of shares never one of equal variances."""
    if cov != "nonrobust":
        return cov
    return "CR2" if cluster is not None else "HC3" if link == "logit" else cov


def check(request: Request, cov: str) -> None:
    """Check that the options of a request fit together.

    Raises
    ------
    InputError
        With all problems.
    """
    problems = [
        *_covariance_problems(request, cov),
        *_link_problems(request),
        *_resampling_problems(request),
        *_random_problems(request),
    ]
    if request.correction not in (None, "max_t", *METHODS):
        raise unknown_names("correction", [str(request.correction)], [*METHODS, "max_t"])
    if not 0 < request.options.confidence < 1:
        problems.append(f"found confidence={request.options.confidence}; expected a share between 0 and 1")
    if request.unit == "frame" and request.residuals:
        problems.append("found residuals=True with unit='frame'; expected another unit: frames are not kept")
    if problems:
        raise InputError("; ".join(problems))


def _covariance_problems(request: Request, cov: str) -> Iterator[str]:
    if cov not in COVARIANCES:
        yield f"found cov={cov!r}; expected one of {', '.join(COVARIANCES)}"
    elif cov in CLUSTERED and request.cluster is None:
        yield f"found cov={cov!r} without cluster; name the coordinate that tells the clusters apart"
    elif cov == "HC3" and request.cluster is not None:
        yield "found cov='HC3' with cluster; HC3 takes observations as independent: use CR2, CR1 or wild"
    if request.unit == "frame" and request.cluster is None:
        yield (
            "found unit='frame' without cluster; the frames of a video are no independent observations, and as such "
            "give up to ten times too many significant results: use unit='video', or cluster='video'"
        )
    if request.options.wild_weights not in ("rademacher", "webb"):
        yield f"found wild_weights={request.options.wild_weights!r}; expected 'rademacher' or 'webb'"
    if request.options.n_draws < 99:
        yield f"found n_draws={request.options.n_draws}; expected at least 99"
    usual = Options(request.options.cov)
    asked = (request.options.n_draws, request.options.wild_weights)
    if request.options.cov != "wild" and asked != (usual.n_draws, usual.wild_weights):
        yield f"found n_draws or wild_weights with cov={cov!r}; they belong to cov='wild': leave them out"


def _link_problems(request: Request) -> Iterator[str]:
    if request.options.link not in ("identity", "logit"):
        yield f"found link={request.options.link!r}; expected 'identity' or 'logit'"
    if request.options.link != "logit":
        return
    if request.unit == "frame" or request.permutations or request.random or request.options.cov == "wild":
        yield (
            "found link='logit' with unit='frame', permutations, random or cov='wild'; expected units, and HC3 or "
            "clustered standard errors (CR1, CR2, CR3): leave the others out"
        )


def _resampling_problems(request: Request) -> Iterator[str]:
    if request.permutations < 0:
        yield f"found permutations={request.permutations}; expected 0 or more"
    if request.permutations:
        if request.cluster is not None or (request.options.cov != "nonrobust" and request.options.link == "identity"):
            yield (
                "found permutations with cluster or a robust cov; permute independent units instead (unit=, blocks=), "
                "or use cov='wild'"
            )
        if not request.intercept:
            yield "found permutations with intercept=False; expected an intercept"
        return
    if request.blocks is not None:
        yield "found blocks without permutations; expected permutations > 0"
    if request.correction == "max_t":
        yield "found correction='max_t' without permutations; expected permutations > 0"


def _random_problems(request: Request) -> Iterator[str]:
    if not request.random:
        return
    robust = request.options.cov != "nonrobust" and request.options.link == "identity"
    if request.cluster is not None or robust or request.permutations or request.residuals:
        yield (
            "found random with cluster, cov, permutations or residuals; a mixed model has standard errors of its own "
            "and no such residuals: leave them out"
        )
    if request.unit == "frame":
        yield "found random with unit='frame'; expected units that are independent within persons and stimuli"
    if request.unit in request.random:
        yield f"found the unit {request.unit!r} as a random effect; expected what units share, such as a person"


def check_clusters(n_clusters: int, cluster: str) -> None:
    """Check that there are enough clusters for a standard error.

    Raises
    ------
    InputError
        If there are not.
    """
    if n_clusters < FEWEST_CLUSTERS:
        raise InputError(
            f"found {n_clusters} clusters of {cluster!r}; expected at least {FEWEST_CLUSTERS}: with fewer, no standard "
            f"error can be trusted; average within clusters instead (unit={cluster!r})"
        )
