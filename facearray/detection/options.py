"""The options of a run, checked before anything is read or written."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facearray._secrets import SecretOptions
from facearray.detection.contract import check_detector
from facearray.detection.detector import Detector
from facearray.detection.detectors import load_detector
from facearray.detection.devices import is_elsewhere, resolve_runtime
from facearray.detection.slot_rules import SLOT_RULES, slot_rule
from facearray.detection.slots import check_place
from facearray.errors import InputError
from facearray.io.layout import Layout
from facearray.io.lease import Part
from facearray.io.location import StoreLike, same_kind

__all__ = ["RunOptions"]

#: Largest number of a frame that a store can hold.
MAX_EVERY = 2**31 - 1

#: Largest number of slots: they take room in every frame, whether anybody is in them or not.
MAX_FACES = 256


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What to compute and how; the attributes are the keywords of :func:`facearray.detect`.

    Attributes
    ----------
    part
        Compute only the rows of one part, beside other processes that compute theirs; only for the command line.

    Raises
    ------
    InputError
        With every option that cannot be used.
    """

    detector: str | Detector = "mediapipe"
    max_faces: int = 1
    every: int = 1
    batch_size: int | None = None
    device: str = "auto"
    runtime: str = "auto"
    compile: bool = False
    landmarks: bool = True
    embedding: bool = False
    slots: str = "auto"
    client: Any = None
    window: int | None = None
    retries: int = 2
    time_limit: float | None = None
    overwrite: bool = False
    retry_failed: bool = False
    take_over: bool = False
    progress: bool = True
    journal: str | os.PathLike[str] | None = None
    storage_options: Mapping[str, Any] | None = None
    video_options: Mapping[str, Any] | None = None
    part: Part | None = None

    def __post_init__(self) -> None:
        for name in ("storage_options", "video_options"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, SecretOptions(getattr(self, name)))
        problems = []
        if not _is_count(self.max_faces) or self.max_faces > MAX_FACES:
            problems.append(
                f"found max_faces={self.max_faces!r}; expected a whole number of at least 1 and at most {MAX_FACES}"
            )
        if self.slots not in SLOT_RULES:
            problems.append(f"found slots={self.slots!r}; expected one of {', '.join(map(repr, SLOT_RULES))}")
        if not _is_count(self.every) or self.every > MAX_EVERY:
            problems.append(
                f"found every={self.every!r}; expected a whole number of at least 1 and at most {MAX_EVERY}"
            )
        if self.batch_size is not None and not _is_count(self.batch_size):
            problems.append(f"found batch_size={self.batch_size!r}; expected a whole number of at least 1, or None")
        problems += self._problems_of_workers()
        if self.part is not None and self.overwrite:
            problems.append("found overwrite and a part; expected one of them: each part would delete the others' rows")
        if problems:
            raise InputError("these options cannot be used:\n" + "\n".join(f"  - {p}" for p in problems))

    @property
    def slot_rule(self) -> str:
        """The rule for slots, with what ``"auto"`` stands for."""
        return slot_rule(self.slots, max_faces=self.max_faces, embedding=self.embedding)

    def of_video(self, url: str, *, store: StoreLike) -> Mapping[str, Any] | None:
        """Return the options of the file system of a video: its own, or those of a store of the same kind."""
        if self.video_options is not None:
            return self.video_options
        return self.storage_options if same_kind(url, store) else None

    def load_detector(self) -> Detector:
        """Return the detector that the options name.

        With a client it only describes what the workers' detectors give: where this machine lacks their device, it is
        one on the CPU, and they say themselves whether they have it.

        Raises
        ------
        InputError
            If there is no such detector, it is none, or it cannot run on the device or give what is asked for.
        DetectorError
            If another package's detector cannot be loaded.
        """
        # Whoever is followed may be anybody in the frame.
        needed = self.max_faces if self.slot_rule == "largest" else None
        if isinstance(self.detector, str):
            device, runtime = self.device, self.runtime
            if self.client is not None and is_elsewhere(device):
                device, runtime = "cpu", resolve_runtime(runtime, device, compile=self.compile)
            detector = load_detector(
                self.detector,
                device=device,
                landmarks=self.landmarks,
                embedding=self.embedding,
                max_faces=needed,
                runtime=runtime,
                compile=self.compile,
            )
        else:
            detector = self.detector
            check_detector(detector)
            self._refuse_for_loaded(detector)
        if self.embedding and detector.n_components is None:
            raise InputError(f"found embedding=True; detector {detector.name!r} computes none")
        described = getattr(detector, "max_faces", None)
        if described is not None and (needed is None or described < needed):
            raise InputError(
                f"found a detector {detector.name!r} that describes {described} faces a frame; expected "
                f"{needed or 'all of them'} for max_faces={self.max_faces} and slots={self.slot_rule!r}; make it with "
                f"max_faces={needed}"
            )
        return detector

    def _refuse_for_loaded(self, detector: Detector) -> None:
        """Refuse options that a detector which is an object cannot take any more."""
        found = [f"{name}={value!r}" for name, value in (("runtime", self.runtime), ("compile", self.compile)) if value]
        found = [text for text in found if text != "runtime='auto'"]
        if self.device not in ("auto", detector.device):
            found.insert(0, f"device={self.device!r}")
        if found:
            raise InputError(
                f"found {', '.join(found)} for a detector {detector.name!r} that is made already, on "
                f"{detector.device!r}; expected these where it is made: facearray.detectors.load"
            )

    def layout(self, detector: Detector) -> Layout:
        """Describe what the detector's results go into.

        Raises
        ------
        InputError
            If people are to be followed and the detector does not say where they are.
        """
        if self.slot_rule != "largest":
            check_place(detector)
        return Layout.from_detector(
            detector,
            max_faces=self.max_faces,
            options={"every": self.every, "slots": self.slot_rule},
            landmarks=self.landmarks,
            embedding=self.embedding,
        )

    def _problems_of_workers(self) -> list[str]:
        problems = []
        if self.client is not None and not _is_client(self.client):
            problems.append(
                f"found client={self.client!r}; expected a distributed.Client, or None for this process; "
                "cluster.get_client() gives that of a cluster"
            )
        if self.window is not None and not _is_count(self.window):
            problems.append(f"found window={self.window!r}; expected a whole number of at least 1, or None")
        if self.window is not None and self.client is None:
            problems.append(f"found window={self.window!r} without a client; expected it only with workers")
        if not _is_count(self.retries, least=0):
            problems.append(f"found retries={self.retries!r}; expected a whole number of at least 0")
        limit = self.time_limit
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0):
            problems.append(f"found time_limit={limit!r}; expected a number of seconds above 0, or None")
        elif limit is not None and not math.isfinite(limit):
            problems.append(f"found time_limit={limit!r}; expected None for no limit")
        return problems


def _is_count(value: object, *, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_client(value: object) -> bool:
    from distributed import Client

    return isinstance(value, Client)
