#!/bin/bash
# Chapter 8's networks as an array, a GPU each, once the pixels are prepared:
#     python -m zfutils scores small --list --edition imagenet > networks.txt
#     sbatch --array=1-$(wc -l < networks.txt) slurm/networks.sh networks.txt imagenet
# Every task trains one network from one seed and leaves its scores in book/reference/scores/.
#SBATCH --job-name=zfutils-networks
#SBATCH --ntasks=1
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --time=48:00:00
#SBATCH --requeue
set -euo pipefail

IFS=$'\t' read -r name seed < <(sed -n "${SLURM_ARRAY_TASK_ID}p" "$1")
srun .venv/bin/python -m zfutils scores "$name" --seed "$seed" --edition "$2"
