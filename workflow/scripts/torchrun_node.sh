#!/usr/bin/env bash
# Started by srun once per node: torchrun with the first node of the job as meeting point.
# Usage: torchrun_node.sh NODES PROCESSES_PER_NODE SCRIPT ARGUMENTS…
set -euo pipefail
nodes=$1
processes=$2
shift 2
# Inside an srun task SLURM_JOB_NODELIST is set; the job step around it has lost the variable.
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(scontrol show node "$head" | grep -o 'NodeAddr=[^ ]*' | cut -d= -f2)
# A port that depends on the job, so that two jobs on one node do not meet.
exec torchrun --nnodes "$nodes" --nproc-per-node "$processes" --node-rank "$SLURM_PROCID" \
    --master-addr "$address" --master-port $((20000 + SLURM_JOB_ID % 20000)) "$@"
