"""Agreement with human coders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics import cohen_kappa_score, f1_score

from facearray.errors import InputError
from facearray.stats import agreement

DIMS = ("video", "frame", "face", "feature")
AUS = ["AU06", "AU12", "AU25"]
N_FRAMES = 50


def detections(n_faces=1, seed=0) -> xr.Dataset:
    """Three videos at 10 frames a second, the last one shorter; every seventh frame has no face."""
    rng = np.random.default_rng(seed)
    values = rng.random((3, N_FRAMES, n_faces, 3)).astype("f4")
    values[:, ::7] = np.nan
    number = np.tile(np.arange(N_FRAMES), (3, 1))
    number[2, 30:] = -1
    values[2, 30:] = np.nan
    return xr.Dataset(
        {"features": (DIMS, values)},
        coords={
            "video": ["a", "b", "c"],
            "feature": AUS,
            "frame_number": (DIMS[:2], number),
            "timestamp": (DIMS[:2], np.where(number < 0, np.nan, number / 10)),
        },
    )


def codes(rater, feature, video, *spans, **more) -> pd.DataFrame:
    return pd.DataFrame(
        [{"coder": rater, "label": feature, "video": video, "start": a, "end": b} | more for a, b in spans]
    )


TABLE = pd.concat(
    [
        codes("ann", "AU12", "a", (0.5, 1.5), (2.0, 4.0)),
        codes("ann", "AU06", "a", (1.0, 3.0)),
        codes("ann", "AU12", "c", (0.0, 1.2)),
        codes("ben", "AU12", "a", (0.8, 1.6), (2.5, 4.5)),
        codes("ben", "AU12", "b", (0.0, 5.0)),
    ],
    ignore_index=True,
)


def seen(rater, feature, video) -> np.ndarray:
    """Frames of a video in which a rater saw a feature."""
    time = np.arange(N_FRAMES) / 10
    rows = TABLE[(TABLE.coder == rater) & (TABLE.label == feature) & (TABLE.video == video)]
    inside = [(time >= row.start) & (time < row.end) for row in rows.itertuples()]
    return np.any([np.zeros(N_FRAMES, dtype=bool), *inside], axis=0)


def test_agreement__of_raters_is_over_what_both_coded():
    found = agreement(detections(), TABLE, rater="coder")
    both = seen("ann", "AU12", "a"), seen("ben", "AU12", "a")
    kappa = found.kappa_raters.sel(feature="AU12")
    assert kappa.sel(rater="ann", rater_other="ben").item() == pytest.approx(cohen_kappa_score(*both))
    assert kappa.sel(rater="ben", rater_other="ann").item() == kappa.sel(rater="ann", rater_other="ben").item()
    # frames without a face were coded, too
    assert found.n_raters.sel(rater="ann", rater_other="ben", feature="AU12").item() == N_FRAMES
    assert np.isnan(found.kappa_raters.sel(rater="ann", rater_other="ann")).all()


def test_agreement__what_is_always_seen_has_no_kappa():
    ds = detections().isel(video=[1])
    ds["features"] = ds.features * 0 + 1
    found = agreement(ds, TABLE[TABLE.video == "b"])
    assert found.f1.item() == 1
    assert np.isnan(found.kappa.item())
    nothing = agreement(ds * 0, TABLE[TABLE.video == "b"])
    assert (nothing.f1.item(), nothing.kappa.item()) == (0, 0)
    assert "kappa_raters" not in found


def test_agreement__of_faces():
    ds = detections(n_faces=2)
    table = pd.concat([codes("ann", "AU12", "a", (1, 2), face=1), codes("ann", "AU12", "a", (0, 3), face=0)])
    found = agreement(ds, table)
    values = ds.features.sel(video="a", feature="AU12").values
    there = ~np.isnan(values)
    time = np.arange(N_FRAMES) / 10
    human = np.stack([time < 3, (time >= 1) & (time < 2)], axis=1)
    assert found.f1.item() == pytest.approx(f1_score(human[there], values[there] > 0.5))
    with pytest.raises(InputError, match="found 2 faces and a table without a column 'face'"):
        agreement(ds, TABLE)
    one = agreement(ds, TABLE, rater="coder", face=1)
    xr.testing.assert_allclose(one, agreement(ds.isel(face=[1]), TABLE, rater="coder"))
    with pytest.raises(InputError, match="found face=2"):
        agreement(ds, TABLE, face=2)
    with pytest.raises(InputError, match="found face= and a table"):
        agreement(ds, table, face=1)


def test_agreement__a_face_without_a_row_was_not_coded():
    ds = detections(n_faces=2)
    rows = pd.concat([codes("ann", "AU12", "a", (1, 2)), codes("ann", "AU12", "b", (0, 1))])
    of_first = agreement(ds, rows.assign(face=0))
    xr.testing.assert_allclose(of_first, agreement(ds.isel(face=[0]), rows))
    of_both = pd.concat([rows.assign(face=0), codes("ann", "AU12", "a", (0, 3), face=1)])
    one, other = (agreement(ds, table) for table in (rows.assign(face=0), of_both))
    assert other.n.item() - one.n.item() == ds.features.sel(video="a", face=1, feature="AU12").notnull().sum()


def test_agreement__says_what_is_wrong():
    ds = detections()
    with pytest.raises(InputError, match=r"unknown feature in the column 'label' 'AU6' .did you mean 'AU06'"):
        agreement(ds, codes("ann", "AU6", "a", (0, 1)))
    with pytest.raises(InputError, match="unknown column of the table 'rater'"):
        agreement(ds, TABLE, rater="rater")
    with pytest.raises(InputError, match="found a table without rows"):
        agreement(ds, TABLE[:0])
    with pytest.raises(InputError, match="found threshold=nan; expected a finite number"):
        agreement(ds, TABLE, threshold=np.nan)
    with pytest.raises(InputError, match="it overlaps row"):
        agreement(ds, codes("ann", "AU12", "a", (0, 2), (1, 3)))
