"""When the SLURM job that training runs in will end."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import datetime

# Training stops this long before its job's time limit, seconds, or a tenth of the time it has: a
# step, a validation and the saving of a state must fit in.
BEFORE_LIMIT = 120.0


def stop_at() -> float:
    """Unix time at which to save and stop; infinite without a limit."""
    ends, now = _job_ends(), time.time()
    return ends - min(BEFORE_LIMIT, max(0.0, ends - now) / 10)


def _job_ends() -> float:
    """The end of this job, from its environment (SLURM 23.02 and later) or from the scheduler."""
    if "SLURM_JOB_END_TIME" in os.environ:
        return float(os.environ["SLURM_JOB_END_TIME"])
    if "SLURM_JOB_ID" not in os.environ:
        return float("inf")
    command = ["squeue", "--noheader", "--jobs", os.environ["SLURM_JOB_ID"], "--format=%e"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return datetime.fromisoformat(asked.stdout.split()[0]).timestamp()
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        # No scheduler in reach, or no limit ("N/A"): states are saved every few minutes anyway.
        return float("inf")
