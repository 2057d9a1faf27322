# TAPE's tasks with a state of every residue, contacts, or a value of every protein.

TASK_RUNS = PROJECT.runs_of("task")

if TASK_RUNS:
    ITEMS.append(f"{RESULTS}/tables/tape.json")

    rule task_network:
        """A network that learns a task."""
        input:
            unpack(finetune_start),
            config=f"{RESULTS}/runs/{{run}}/config.json",
            task=lambda wildcards: (f"{RESULTS}/tasks/{TASK_RUNS[wildcards.run].task}/task.parquet"),
            contacts=lambda wildcards: (
                f"{RESULTS}/tasks/{TASK_RUNS[wildcards.run].task}/contacts.parquet"
            ),
            code=code("task_network"),
        output:
            weights=f"{RESULTS}/tasks/runs/{{run}}/weights.safetensors",
            answers=f"{RESULTS}/tasks/runs/{{run}}/answers.parquet",
            pairs=f"{RESULTS}/tasks/runs/{{run}}/pairs.parquet",
            metrics=f"{RESULTS}/tasks/runs/{{run}}/metrics.tsv",
            summary=f"{RESULTS}/tasks/runs/{{run}}/summary.json",
        log:
            f"{LOGS}/task_network/{{run}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/task_network/{{run}}.tsv"
        wildcard_constraints:
            run=names(TASK_RUNS),
        conda:
            "../envs/torch.yaml"
        threads: need("finetune", "threads")
        resources:
            mem_mb=need("finetune", "mem_mb"),
            runtime=need("finetune", "runtime"),
            gpu=need("finetune", "gpu"),
            gpu_model=need("finetune", "gpu_model"),
            gres=need("finetune", "gres"),
            nodes=need("finetune", "nodes"),
            tasks=need("finetune", "tasks"),
            tasks_per_gpu=need("finetune", "tasks_per_gpu"),
            mpi=need("finetune", "mpi"),
        params:
            code=code_digest("task_network"),
            launch=launcher("finetune"),
            start=lambda wildcards, input: " ".join(
                f"--{key} {input[key]}" for key in ("start", "weights") if key in input.keys()
            ),
            state=lambda wildcards: f"{RESULTS}/state/tasks/{wildcards.run}",
            output=lambda wildcards, output: str(Path(output.weights).parent),
        shell:
            "{params.launch} {input.code[0]} --config {input.config} {params.start}"
            " --task {input.task} --contacts {input.contacts} --state {params.state} --output {params.output}"
            " --threads {threads} 2> {log}"

    rule tape:
        """Residues right, precision of contacts and rank correlations of all runs on TAPE's tasks."""
        input:
            truth=[f"{RESULTS}/tasks/{run.task}/task.parquet" for run in TASK_RUNS.values()],
            contacts=[f"{RESULTS}/tasks/{run.task}/contacts.parquet" for run in TASK_RUNS.values()],
            answers=expand(f"{RESULTS}/tasks/runs/{{run}}/answers.parquet", run=TASK_RUNS),
            pairs=expand(f"{RESULTS}/tasks/runs/{{run}}/pairs.parquet", run=TASK_RUNS),
            code=code("tape"),
        output:
            table=report(
                f"{RESULTS}/tables/tape.tsv",
                caption="../workflow/report/tape.rst",
                category="Tables",
                labels={"item": "TAPE's tasks"},
            ),
            item=f"{RESULTS}/tables/tape.json",
        log:
            f"{LOGS}/tape.log",
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("tape"),
            runs=list(TASK_RUNS),
            tasks=[run.task for run in TASK_RUNS.values()],
            bootstrap=PROJECT.evaluation.bootstrap,
            confidence=PROJECT.evaluation.confidence,
            seed=PROJECT.seed,
        shell:
            "python {input.code[0]} --runs {params.runs} --tasks {params.tasks}"
            " --truth {input.truth} --answers {input.answers} --contacts {input.contacts}"
            " --pairs {input.pairs} --bootstrap {params.bootstrap}"
            " --confidence {params.confidence} --seed {params.seed} --table {output.table}"
            " --item {output.item} 2> {log}"
