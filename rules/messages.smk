# What the workflow says at its start and its end.


def planned_jobs():
    """The jobs of this start, before any has run; none where Snakemake only collects."""
    return [job for job in workflow.persistence.dag.needrun_jobs(exclude_finished=False)]


def say(text):
    print(text, file=sys.stderr, flush=True)


onstart:
    say(
        banner(
            PROJECT,
            [
                PlannedJob(
                    job.rule.name,
                    # Several nodes are asked for as gres "gpu:N", for each of them.
                    int(job.resources.get("gpu") or 0)
                    or int(str(job.resources.get("gres") or "gpu:0").split(":")[-1])
                    * int(job.resources.get("nodes") or 1),
                    int(job.resources.get("runtime") or 0),
                )
                for job in planned_jobs()
                if job.output
            ],
            Path(RESULTS),
        )
    )


onsuccess:
    say(closing(Path(RESULTS), [Path(f) for job in planned_jobs() for f in job.output]))


onerror:
    say(failures("\n".join(Path(path).read_text() for path in log if Path(path).exists())))
