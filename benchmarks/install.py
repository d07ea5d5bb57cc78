"""What it saves to repeat an editable install only where a patch asks for it, and that no verdict changes by it.

    .venv/bin/python benchmarks/install.py --rows CLASSIC_ROWS [--rounds 3] [--instances ID,ID] [--check]

CLASSIC_ROWS leave the evaluation script to us (SWE-bench Lite's 12 columns); the instances' images are built here
(`harness images build`). Each gold patch, a wrong patch of a module and a patch of the package's own metadata are
evaluated with two scripts that differ in one thing: one always installs, as the official images' scripts do, the
other where the tree differs in more than modules that were there before. One worker, in turn. With ``--check`` the
exit status is 1 when a verdict differs in any test, or nothing is saved. The last line is the figures.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from parts.arguments import BenchmarkParser

from harness.common.paths import cache_folder
from harness.common.run_folder import RunFolder
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.core.verdict import Outcome, Verdict
from harness.dataset.instances import load_instances
from harness.dataset.recipes import load_recipes
from harness.grading.session import evaluation_session
from harness.grading.specification import render_script, specify
from harness.pipeline.executors import open_executor
from harness.repo.diff import Replacement, change_patch, split_lines
from harness.repo.snapshot import open_repository

INSTANCES = (
    "django__django-15790,django__django-16046,django__django-15814,pallets__flask-4992,pydata__xarray-4248,"
    "mwaskom__seaborn-3010,sphinx-doc__sphinx-10325,sphinx-doc__sphinx-7738"
)  # not pytest: it reads its version from git's history when it is installed, and a rebuilt state has no such history
METADATA = ("pyproject.toml", "setup.cfg", "setup.py")
KINDS = ("gold", "wrong module", "metadata")
Verdicts = dict[tuple[str, str], Verdict]  # kind of patch, instance id


def appended(snapshot: Snapshot, path: str) -> str:
    """A patch that adds a comment at the end of a file."""
    lines = split_lines(snapshot.read(path))
    last = lines[-1].removesuffix(b"\n") + b"\n"
    return change_patch(path, lines, [Replacement(len(lines) - 1, len(lines), (last, b"# looked at\n"))])


def patches_of(instance: Instance, snapshot: Snapshot) -> dict[str, str]:
    """A patch of each kind."""
    module = next(
        line[6:] for line in instance.patch.splitlines() if line.startswith("--- a/") and line.endswith(".py")
    )
    metadata = next(name for name in METADATA if name in snapshot.paths())
    return dict(zip(KINDS, (instance.patch, appended(snapshot, module), appended(snapshot, metadata)), strict=True))


def with_script(instance: Instance, always: bool) -> Instance:
    """The instance with an evaluation script that installs, always or where the patch asks for it."""
    recipe = load_recipes(None).recipe(instance.instance_id)
    assert recipe.install is not None
    if always:
        script = render_script(instance, recipe.test_cmd, setup=("cd /testbed", recipe.install))
    else:
        script = render_script(instance, recipe.test_cmd, install=recipe.install)
    parser = specify(instance, recipe).log_parser
    return instance.model_copy(update={"eval_script": script, "log_parser": parser})


def evaluated(instances: Sequence[Instance], patches: dict[str, dict[str, str]]) -> Verdicts:
    """All patches, one after another, from an empty journal."""
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as records:
        config = EvaluationConfig(workers=1)
        with (
            open_executor(config, records.path) as executor,
            evaluation_session(instances, config, records, executor) as session,
        ):
            return {
                (kind, i.instance_id): session.submit(i, patches[i.instance_id][kind]).result()
                for i in instances
                for kind in KINDS
            }


def told(verdict: Verdict) -> tuple[object, ...]:
    """All that a verdict says of the tests."""
    return (
        verdict.outcome,
        verdict.fail_to_pass_success,
        verdict.fail_to_pass_failure,
        verdict.pass_to_pass_success,
        verdict.pass_to_pass_failure,
    )


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = BenchmarkParser(__doc__)
    parser.add_rows("rows in the classic schema")
    parser.add_argument("--rounds", type=int, default=3, help="passes of each script, of which the median counts")
    parser.add_argument("--instances", default=INSTANCES, help="ids of the instances, comma-separated")
    parser.add_check("when a verdict differs, or nothing is saved")
    arguments = parser.parse_args()
    classic = load_instances(str(arguments.rows), ids=arguments.instances.split(","))
    repository = open_repository(cache_folder())
    patches = {i.instance_id: patches_of(i, repository.snapshot(i)) for i in classic}
    variants = {always: [with_script(i, always) for i in classic] for always in (True, False)}
    print(f"{len(classic)} instances, 1 worker, {arguments.rounds} rounds in turn, medians of seconds of evaluation;")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {arguments.instances.replace(',', ', ')}")
    seconds: dict[tuple[bool, str], list[float]] = {(always, kind): [] for always in variants for kind in KINDS}
    differing: set[tuple[str, str]] = set()
    outcomes: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    for number in range(arguments.rounds):
        always, asked = (evaluated(variants[choice], patches) for choice in (True, False))
        if failed := [v for v in (*always.values(), *asked.values()) if v.outcome is Outcome.INFRASTRUCTURE]:
            sys.exit(f"the machine failed: {failed[0].detail}")
        differing |= {key for key in always if told(always[key]) != told(asked[key])}
        for choice, verdicts in ((True, always), (False, asked)):
            for kind in KINDS:
                seconds[choice, kind].append(sum(v.seconds for key, v in verdicts.items() if key[0] == kind))
        for (kind, _), verdict in asked.items() if number == 0 else ():
            outcomes[kind][verdict.outcome] = outcomes[kind].get(verdict.outcome, 0) + 1
    table = {kind: [statistics.median(seconds[choice, kind]) for choice in (True, False)] for kind in KINDS}
    print(f"\n{'patch':<14}{'always':>9}{'asked':>9}{'saved, an evaluation':>23}  outcomes")
    for kind, (always_seconds, asked_seconds) in table.items():
        saved = (always_seconds - asked_seconds) / len(classic)
        print(f"{kind:<14}{always_seconds:>9.1f}{asked_seconds:>9.1f}{saved:>23.2f}  {outcomes[kind]}")
    print(f"verdicts that differ: {', '.join(map(str, sorted(differing))) or 'none'}")
    figures = {kind: {"always": round(a, 2), "asked": round(b, 2)} for kind, (a, b) in table.items()}
    print(json.dumps({**figures, "evaluations": len(KINDS) * len(classic), "differing": len(differing)}))
    if arguments.check and (differing or any(table[kind][0] <= table[kind][1] for kind in KINDS[:2])):
        sys.exit(1)


if __name__ == "__main__":
    main()
