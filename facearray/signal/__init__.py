"""Time courses before statistics: cleaned, resampled and described, lazily, per video and face, on true seconds."""

from facearray.signal._steps import steps
from facearray.signal.align import align
from facearray.signal.asymmetry import asymmetry
from facearray.signal.baseline import baseline
from facearray.signal.bin import bin  # noqa: A004
from facearray.signal.blinks import blinks
from facearray.signal.boft import boft
from facearray.signal.clean import clean
from facearray.signal.cooccurrence import cooccurrence, cooccurrence_network
from facearray.signal.decompose import Decomposition, decompose
from facearray.signal.distance import distance, similarity
from facearray.signal.events import events, smiles
from facearray.signal.interpolate import interpolate
from facearray.signal.mask import mask
from facearray.signal.quality import quality
from facearray.signal.rectify import rectify
from facearray.signal.resample import resample
from facearray.signal.smooth import smooth
from facearray.signal.spectrum import spectrum
from facearray.signal.synchrony import synchrony
from facearray.signal.to_grid import to_grid
from facearray.signal.wavelet import multi_wavelet, wavelet

__all__ = [
    "Decomposition",
    "align",
    "asymmetry",
    "baseline",
    "bin",
    "blinks",
    "boft",
    "clean",
    "cooccurrence",
    "cooccurrence_network",
    "decompose",
    "distance",
    "events",
    "interpolate",
    "mask",
    "multi_wavelet",
    "quality",
    "rectify",
    "resample",
    "similarity",
    "smiles",
    "smooth",
    "spectrum",
    "steps",
    "synchrony",
    "to_grid",
    "wavelet",
]
