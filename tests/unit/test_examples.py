"""The recipes for batch systems and clouds, as far as they can be checked without one."""

from __future__ import annotations

import ast
import contextlib
import inspect
import operator
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import dask
import distributed
import pytest
import xarray as xr
import yaml
from distributed.nanny import _get_env_variables

import facearray as fa
from facearray.detection.executors.clusters import CONFIG, KEEP_MEMORY

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARED = EXAMPLES.parents[1] / "shared" / "data"
#: A folder with a pyproject.toml is a package that something else tests.
SCRIPTS = sorted(path for path in EXAMPLES.rglob("*.py") if not (path.parent / "pyproject.toml").exists())

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="not a clone of the repository")


def test_slurm__the_job_script_starts_one_worker_of_one_thread():
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue")
    command = [sys.executable, EXAMPLES / "slurm.py", "a*.mp4", "s.zarr", "--dry-run", "--gpus", "--interface", "lo"]
    script = subprocess.run(
        [*command, "--partition", "gpu", "--hours", "3"], check=True, capture_output=True, text=True
    ).stdout
    directives = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    for directive in ("-p gpu", "--cpus-per-task=4", "-t 03:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {directive}" in directives
    assert "export OMP_NUM_THREADS=1" in script
    (worker,) = (line for line in script.splitlines() if "dask_worker" in line)
    for option in ("--nthreads 1", "--resources GPU=1", "--lifetime 170m", "--nanny"):
        assert option in worker
    before = script.partition("dask_worker")[0]
    for name, value in KEEP_MEMORY.items():
        assert f"export {name}={value}\n" in before


def test_slurm__worker_options_are_those_of_dask():
    from distributed.cli.dask_worker import main

    options = {name for parameter in main.params for name in parameter.opts}
    assert {"--resources", "--lifetime", "--lifetime-stagger", "--nthreads", "--memory-limit"} <= options


def test_kubernetes__the_cluster_is_complete():
    cluster = yaml.safe_load((EXAMPLES / "kubernetes" / "cluster.yaml").read_text(encoding="utf-8"))
    assert (cluster["apiVersion"], cluster["kind"]) == ("kubernetes.dask.org/v1", "DaskCluster")
    spec = cluster["spec"]
    (worker,), (scheduler,) = (spec[part]["spec"]["containers"] for part in ("worker", "scheduler"))
    assert worker["image"] == scheduler["image"]
    assert worker["args"][worker["args"].index("--nthreads") + 1] == "1"
    assert all(isinstance(argument, str) for argument in worker["args"])
    mounted = {mount["name"] for mount in worker["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["worker"]["spec"]["volumes"]}
    ports = {port["name"]: port["containerPort"] for port in scheduler["ports"]}
    assert {port["targetPort"] for port in spec["scheduler"]["service"]["ports"]} == set(ports)
    environment = {variable["name"]: variable["value"] for variable in worker["env"]}
    assert not any("SECRET" in name or "KEY" in name for name in environment)
    assert {name: environment.get(name) for name in KEEP_MEMORY} == {name: str(n) for name, n in KEEP_MEMORY.items()}
    assert environment["OMP_NUM_THREADS"] == "1"


def test_several_gpus__workers_keep_memory(monkeypatch, tmp_path):
    """Run the recipe with a cluster that notes what its workers would be started with."""
    started = []

    class Cluster(contextlib.nullcontext):
        def __init__(self, **options):
            super().__init__(self)
            started.append(_get_env_variables("distributed.nanny.pre-spawn-environ") | dict(os.environ) | options)

    monkeypatch.setitem(sys.modules, "dask_cuda", SimpleNamespace(LocalCUDACluster=Cluster))
    monkeypatch.setattr(distributed, "Client", contextlib.nullcontext)
    monkeypatch.setattr(fa, "detect", lambda *args, **kwargs: xr.Dataset({"status": ("video", ["done"])}))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(sys, "argv", ["several_gpus.py", "a.mp4", str(tmp_path / "s.zarr")])
    runpy.run_path(str(EXAMPLES / "several_gpus.py"), run_name="__main__")
    (environment,) = started
    assert {name: environment[name] for name in KEEP_MEMORY} == {name: str(n) for name, n in KEEP_MEMORY.items()}
    assert (environment["threads_per_worker"], environment["resources"]) == (1, {"GPU": 1})


def test_environment__wins_over_what_dask_sets(monkeypatch):
    name = "MALLOC_TRIM_THRESHOLD_"
    monkeypatch.delenv(name, raising=False)
    assert _get_env_variables("distributed.nanny.pre-spawn-environ")[name] != str(KEEP_MEMORY[name])
    monkeypatch.setenv(name, str(KEEP_MEMORY[name]))
    assert _get_env_variables("distributed.nanny.pre-spawn-environ")[name] == str(KEEP_MEMORY[name])


def test_documentation__has_the_settings_of_our_own_workers():
    page = (EXAMPLES.parent / "docs" / "clusters.md").read_text(encoding="utf-8")
    written = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    with dask.config.set(CONFIG):
        for key, value in flat(written):
            assert str(dask.config.get(key)) == str(value)
    assert set(KEEP_MEMORY) <= set(written["distributed"]["nanny"]["pre-spawn-environ"])


def flat(settings, prefix=""):
    for key, value in settings.items():
        yield from flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]


def called(node: ast.expr) -> list[str]:
    """Names of a chain such as ``fa.datasets.good_bad_news``; empty where it begins with anything but ``fa``."""
    if isinstance(node, ast.Attribute):
        names = called(node.value)
        return [*names, node.attr] if names else []
    return ["fa"] if isinstance(node, ast.Name) and node.id == "fa" else []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_examples__call_functions_with_arguments_that_they_have(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(called(node.func)) > 1]
    assert calls
    for call in calls:
        parameters = inspect.signature(operator.attrgetter(".".join(called(call.func)[1:]))(fa)).parameters
        assert {keyword.arg for keyword in call.keywords} <= set(parameters)


#: What examples print, of which most is told by how their data were made.
PRINTED = {
    "dyads": ["strongest at a lag of 0.40 s: ann leads", r"speaks +ann +0\.4\d +0\.5\d*\s", r"p = 0\.005"],
    "epochs": [r"'trial': 6, 'time': 50", r"not warned +0\.3\d +0\.3", "1 of 1 cluster significant"],
    "from_openface": ["60 frames, 50 with a face", r"^59 +1\.967 +5\.737 +2\.85 ", r"mean of AU12: 0\.475;"],
    "from_pyfeat": ["the same numbers: True", r"\(104, 2183\)"],
    "human_coders": [r"ann +AU12 +0\.9\d +0\.8\d", r"bob +AU12 +0\.8", r"AU25 +0\.9\d*$"],
    "object_store": ["memory://study.zarr", "in memory: False", r"goodNews +0 +0\.719 +0\.978 +0\.050 +0\.009"],
    "own_au_map": [r"AU12 +0\.9\d +0\.8", r"AU25 +0\.45"],
    "physiology": [r"strongest at 2\.00 s, r = 0\.[89]"],
    "quality_first": [r"angle +2 +18", r"badNews +8\s", r"alone +0\.683 +0\.712"],
    "scanner": [r"offset -3\.20 s, drift 200 per million", r"weight and constant: \[(2\.0|1\.9)\d*, (100|99\.9)"],
}
OF_THE_STUDY = {"from_pyfeat", "human_coders", "object_store", "own_au_map", "quality_first"}


@pytest.mark.parametrize("name", PRINTED)
def test_examples__print_what_is_told(name, monkeypatch, capsys):
    if name in OF_THE_STUDY:
        if not (SHARED / "good_bad_news").is_dir():
            pytest.skip("the detections are not here")
        monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    text = capsys.readouterr().out
    for pattern in PRINTED[name]:
        assert re.search(pattern, text, re.MULTILINE), f"{pattern!r} is not in\n{text}"


def test_examples__all_of_the_gallery_are_run():
    shown = {path.stem for path in EXAMPLES.glob("*.py") if path.read_text(encoding="utf-8").startswith('"""\n')}
    assert shown == {*PRINTED, "good_bad_news"}
