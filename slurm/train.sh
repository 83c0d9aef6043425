#!/bin/bash
# One network over several nodes: sbatch slurm/train.sh zfnet --edition imagenet
# One torchrun on each node, one rank for each GPU. A run that was stopped goes on when it is started again, with
# another number of nodes too. The checkout, ZFUTILS_DATA and ZFUTILS_BUILD lie where all nodes see them.
#SBATCH --job-name=zfutils
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --kill-on-bad-exit=1 .venv/bin/torchrun \
    --nnodes "$SLURM_NNODES" --nproc-per-node "$SLURM_GPUS_ON_NODE" \
    --rdzv-backend c10d --rdzv-endpoint "$first:29500" --rdzv-id "$SLURM_JOB_ID" \
    -m zfutils train "$@"
