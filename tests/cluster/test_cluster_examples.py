"""The files that take a cluster's user to a run: their syntax, their schema, and that the settings in them are ours."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from harness.cluster.bundles import GPU, reservation
from harness.cluster.values import SANDBOX
from harness.config.load import load_evaluation

EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"
KUBERNETES = "1.30"

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_COUNT = {"type": "integer", "minimum": 0}


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


# What KubeRay's types say of the keys that the manifest uses; the pods in it are checked by Kubernetes' own schema.
RAY_JOB = _closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata={"type": "object", "required": ["name"]},
    spec=_closed(
        ["entrypoint", "rayClusterSpec"],
        entrypoint={"type": "string"},
        shutdownAfterJobFinishes={"type": "boolean"},
        backoffLimit=_COUNT,
        rayClusterSpec=_closed(
            ["headGroupSpec"],
            enableInTreeAutoscaling={"type": "boolean"},
            headGroupSpec=_closed(["rayStartParams", "template"], rayStartParams=_TEXTS, template={"type": "object"}),
            workerGroupSpecs={
                "type": "array",
                "items": _closed(
                    ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"],
                    groupName={"type": "string"},
                    replicas=_COUNT,
                    minReplicas=_COUNT,
                    maxReplicas=_COUNT,
                    rayStartParams=_TEXTS,
                    template={"type": "object"},
                ),
            },
        ),
    ),
)


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return yaml.safe_load((EXAMPLES / "kuberay.yaml").read_text())


def groups(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = manifest["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def settings(words: list[str]) -> list[str]:
    """What a command line gives of ``evaluation``, as `harness evaluate` would take it."""
    return [word for word in words if word.startswith("evaluation.")]


def test_the_slurm_script_has_no_fault_that_shellcheck_finds() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, EXAMPLES / "slurm.sh"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_slurm_script_starts_ray_with_places_for_jobs_and_then_the_run(tmp_path) -> None:
    """Slurm's and Ray's commands are replaced by ones that print what they are given."""
    for name, text in {"srun": 'printf "%s\\n" "$@"', "scontrol": "echo one; echo two"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    slurm = {"SLURM_JOB_NODELIST": "x", "SLURM_NNODES": "2", "SLURM_CPUS_PER_TASK": "16"}
    done = subprocess.run(
        [EXAMPLES / "slurm.sh", "my run.yaml", "evaluation.timeout=60"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", **slurm},
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.splitlines()
    ray, run = words[: words.index("--")], words[words.index("--") + 1 :]
    assert ray[:4] == ["ray", "symmetric-run", "--address", "one:6379"]
    assert json.loads(ray[ray.index("--resources") + 1]) == {SANDBOX: 16}
    assert run[:3] == ["harness", "run", "my run.yaml"]
    evaluation = load_evaluation({}, settings(run))
    assert (evaluation.executor, evaluation.pull, evaluation.timeout) == ("ray", True, 60)


def test_the_manifest_fits_its_schema(manifest) -> None:
    jsonschema.validate(manifest, RAY_JOB)


def test_a_misspelt_key_of_the_manifest_is_found(manifest) -> None:
    broken = yaml.safe_load(yaml.safe_dump(manifest))
    broken["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParam"] = {}
    with pytest.raises(jsonschema.ValidationError, match="rayStartParam"):
        jsonschema.validate(broken, RAY_JOB)


def test_its_pods_fit_the_schema_of_kubernetes(manifest) -> None:
    for group in groups(manifest):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **group["template"]}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        pod["spec"]["containers"][0]["imagee"] = "x"
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_its_workers_take_jobs_and_its_command_is_ours(manifest) -> None:
    _, workers, servers = groups(manifest)
    assert json.loads(json.loads(workers["rayStartParams"]["resources"])) == {SANDBOX: 8}
    assert reservation(1, 8, [{GPU: float(servers["rayStartParams"]["num-gpus"])}], on_cpu=False)
    words = shlex.split(manifest["spec"]["entrypoint"])
    assert words[:2] == ["harness", "run"]
    assert load_evaluation({}, settings(words)).executor == "ray"
