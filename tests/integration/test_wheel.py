"""The installed wheel, in an environment that has never seen the checkout."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

RENDER = """
import harness
from harness.model.prompts import Prompts
from harness.build.layer import render
from harness.config.presets import preset_names
from harness.common.resources import resource
from harness.dataset.recipes import load_recipes
assert "site-packages" in harness.__file__, harness.__file__
prompt = Prompts("agentless").render(
    "localize_files", issue="the issue", paths=["a.py"], tree="a.py", left_out=0, limit=1
)
assert "the issue" in prompt
assert render("base.Dockerfile.jinja", root="debian:x", has_tools=True).startswith("FROM debian:x")
assert preset_names()
assert len(load_recipes().instances) == 43
print("rendered")
"""


def test_wheel_carries_prompts_and_docker_templates(tmp_path: Path) -> None:
    def run(*command: object) -> str:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT)
    [wheel] = tmp_path.glob("*.whl")
    python = tmp_path / "fresh" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "fresh")
    # what renders templates needs these alone; the rest of the dependencies would only cost time here
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel)
    run(python, "-m", "pip", "install", "--quiet", "jinja2", "pydantic", "pyyaml", "typer", "rich")
    assert run(python, "-c", RENDER).strip() == "rendered"
    assert "Commands" in run(tmp_path / "fresh" / "bin" / "harness", "--help")
