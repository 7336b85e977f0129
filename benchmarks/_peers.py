"""Environments of what is measured against: each in a folder of its own in `build/peers`, made once."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "build" / "peers"


@dataclass(frozen=True)
class Peer:
    """A package that has to be kept apart from ours.

    Parameters
    ----------
    name : str
        Of the folder.
    requirements : tuple of str
        What pip installs.
    works : str
        Code that runs where the installation is complete.
    on_top : bool
        See our packages, too, and install nothing but the requirements themselves: for packages most of whose
        dependencies we have.
    """

    name: str
    requirements: tuple[str, ...]
    works: str
    on_top: bool = False

    @property
    def python(self) -> Path:
        """The interpreter, which is there once `ready` has said so."""
        return FOLDER / self.name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def ready(self) -> bool:
        """Make the environment unless it is there; False where it cannot be made."""
        if self._works():
            return True
        print(
            f"installing {' '.join(self.requirements)} into build/peers/{self.name} (once)", file=sys.stderr, flush=True
        )
        subprocess.run([sys.executable, "-m", "venv", "--clear", self.python.parents[1]], check=True)
        if self.on_top:
            code = "import sysconfig; print(sysconfig.get_path('purelib'))"
            (Path(self.run(code)) / "ours.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        options = ["--no-deps"] if self.on_top else []
        subprocess.run([self.python, "-m", "pip", "install", "-q", *options, *self.requirements], check=False)
        return self._works()

    def run(self, code: str, *arguments: str | Path) -> str:
        """Run code in the environment; what it prints in its last line."""
        done = subprocess.run([self.python, "-c", code, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {done.stderr}")
        return done.stdout.splitlines()[-1]

    def _works(self) -> bool:
        if not self.python.exists():
            return False
        return subprocess.run([self.python, "-c", self.works], capture_output=True, check=False).returncode == 0


BRAINIAK = Peer("brainiak", ("brainiak==0.12",), "import brainiak.isc")

#: Lets py-feat's tables be imported without its detectors, and without the libraries that these need: torchvision
#: beside a torch of another build, a decoder of videos, a hub, boosted trees.
IMPORT_FEX = """
import importlib.util, sys
from pathlib import Path
from unittest.mock import MagicMock
import torch
try:
    torch.ops.load_library(str(Path(importlib.util.find_spec("torchvision").origin).parent / "_C.so"))
except OSError:
    operators = torch.library.Library("torchvision", "DEF")
    for name in "nms qnms ps_roi_align ps_roi_pool qroi_align roi_align roi_pool deform_conv2d".split():
        operators.define(name + "(Tensor x) -> Tensor")
    for name in "ps_roi_align ps_roi_pool roi_align roi_pool".split():
        operators.define("_" + name + "_backward(Tensor x) -> Tensor")
for name in ("detector", "detector_v2", "pretrained"):
    sys.modules["feat." + name] = MagicMock()
for name in ("huggingface_hub", "torchcodec", "torchcodec.decoders", "xgboost"):
    sys.modules[name] = MagicMock()
from feat.data import Fex
"""

PYFEAT = Peer(
    "pyfeat",
    ("py-feat==2.1.5", "torchvision", "scikit-image", "lazy-loader", "seaborn", "plotly"),
    "from importlib.util import find_spec\nassert all(map(find_spec, ('feat', 'torchvision', 'skimage', 'plotly')))",
    on_top=True,
)

PEERS = (BRAINIAK, PYFEAT)
