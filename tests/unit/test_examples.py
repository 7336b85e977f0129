"""The recipes for batch systems and clouds, as far as they can be checked without one."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import facearray as fa

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.rglob("*.py"))

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


def test_slurm__worker_options_are_those_of_dask():
    pytest.importorskip("distributed")
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
