.PHONY: setup docker sandboxes chromium demo test check instances presets lab ablation reference heads

setup:
	@scripts/setup

docker:
	@scripts/ensure-docker

sandboxes:  # tests over those that can't be had here are skipped, and say so
	-@scripts/ensure-podman
	-@scripts/ensure-apptainer

chromium:
	@scripts/ensure-chromium

demo: setup docker  ## the whole pipeline on built-in instances and tiny trained checkpoints, then what cut heads do
	.venv/bin/harness demo
	.venv/bin/python -m lab heads-demo

test: setup docker sandboxes chromium check  ## everything, with real Docker, real vLLM and a real browser
	@scripts/test

check: setup  ## style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

instances: setup docker  ## build all rebuildable instances (HARNESS_SWEBENCH_ROWS names the rows) and prove them with their gold patches
	.venv/bin/harness images build --dataset "$${HARNESS_SWEBENCH_ROWS:?name the file of SWE-bench Lite rows}" --rows results/instances/rows.jsonl
	.venv/bin/harness evaluate --dataset results/instances/rows.jsonl --predictions base --output results/instances/base
	.venv/bin/harness evaluate --dataset results/instances/rows.jsonl --predictions gold --output results/instances/gold

presets:  ## write docs/presets.md anew from harness/config/presets/
	.venv/bin/python -m harness.config.presets_page docs/presets.md

lab: setup  ## train one tiny checkpoint for each arm: seven packing strategies, pad-last-document with two budgets
	.venv/bin/python -m lab make results/lab

ablation: setup docker  ## the study: five checkpoints for each arm, every one through the whole pipeline
	.venv/bin/python -m lab ablation results/lab --seeds 5 --output results/ablation

reference: setup  ## write the reference study's tables, figure and page anew from its attempts
	.venv/bin/python -m lab rewrite results/reference/ablation --html results/reference-page

heads: setup docker  ## the study of lost heads, both corpora: five checkpoints for each arm; hours on two cores, at low priority
	nice -n 19 .venv/bin/python -m lab heads results/heads --output results/reference/heads
	nice -n 19 .venv/bin/python -m lab heads results/heads-overlong --corpus overlong --output results/reference/heads/overlong
