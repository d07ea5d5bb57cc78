#!/usr/bin/env bash
# A run on a Slurm allocation: Ray on every node, the run on the first, and nothing is left when it ends.
#
#     sbatch --nodes=4 examples/cluster/slurm.sh run.yaml [key=value ...]
#
# Each node needs the same installation of the package, Docker, Podman or Apptainer, and the folders of the run file and of
# the checkpoints. These are served on the nodes' GPUs if the allocation has some: sbatch --gpus-per-node=8 ...
#SBATCH --job-name=harness
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=12:00:00
set -euo pipefail

run_file=${1:?"give a run file: sbatch $0 run.yaml [key=value ...]"}
shift
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)

srun ray symmetric-run \
  --address "$first:6379" \
  --min-nodes "$SLURM_NNODES" \
  --num-cpus "$SLURM_CPUS_PER_TASK" \
  --resources "{\"sandbox\": $SLURM_CPUS_PER_TASK}" \
  -- harness run "$run_file" evaluation.executor=ray evaluation.pull=true "$@"
