"""The recipes for batch systems and clouds, as far as they can be checked without one."""

from __future__ import annotations

import ast
import contextlib
import inspect
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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_examples__call_functions_with_arguments_that_they_have(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "fa"
    ]
    assert calls
    for call in calls:
        parameters = inspect.signature(getattr(fa, call.func.attr)).parameters
        assert {keyword.arg for keyword in call.keywords} <= set(parameters)
