"""Intraclass correlations of pingouin, as what those of facearray are compared with.

Run in an environment of its own, and keep what it writes beside it:

    python -m venv /tmp/pingouin && /tmp/pingouin/bin/pip install pingouin
    /tmp/pingouin/bin/python tests/reference/pingouin_icc.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pingouin


def measurements() -> dict[str, np.ndarray]:
    """Values (unit, measurement): the table of Shrout & Fleiss, agreement with a shift, and noise."""
    rng = np.random.default_rng(0)
    person = rng.normal(size=(12, 1))
    return {
        "shrout": np.array(
            [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
        ),
        "shifted": np.round(person + [0, 1.5, -0.5] + 0.4 * rng.normal(size=(12, 3)), 3),
        "noise": np.round(rng.normal(size=(9, 2)), 3),
    }


def main() -> None:
    """Compute and write."""
    found = {}
    for name, values in measurements().items():
        n, k = values.shape
        table = pd.DataFrame(
            {"unit": np.repeat(np.arange(n), k), "over": np.tile(np.arange(k), n), "value": values.ravel()}
        )
        icc = pingouin.intraclass_corr(table, targets="unit", raters="over", ratings="value")
        kinds = icc["Type"].astype(str).str.replace(r"[^A-Z0-9]", "", regex=True)
        interval = next(column for column in icc.columns if str(column).startswith("CI95"))
        found[name] = {"values": values.tolist()} | {
            kind: [float(row["ICC"]), *map(float, row[interval]), float(row.get("pval", row.get("p_val", np.nan)))]
            for kind, (_, row) in zip(kinds, icc.iterrows(), strict=True)
        }
    found["version"] = pingouin.__version__
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
