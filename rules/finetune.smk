# Fine-tuning to families.


rule finetuning:
    """All fine-tuning runs."""
    input:
        expand(f"{RESULTS}/finetune/{{run}}/predictions.parquet", run=FINETUNE),


rule finetune:
    """Domains to families on a certified split, and the predictions of its test part."""
    input:
        unpack(finetune_start),
        config=f"{RESULTS}/runs/{{run}}/config.json",
        domains=f"{RESULTS}/domains/domains.parquet",
        split=lambda wildcards: f"{RESULTS}/splits/{PROJECT.runs[wildcards.run].split}/split.parquet",
        certificate=lambda wildcards: f"{RESULTS}/splits/{PROJECT.runs[wildcards.run].split}/leakage.json",
        code=code("finetune"),
    output:
        weights=f"{RESULTS}/finetune/{{run}}/weights.safetensors",
        predictions=f"{RESULTS}/finetune/{{run}}/predictions.parquet",
        scores=f"{RESULTS}/finetune/{{run}}/scores.parquet",
        metrics=f"{RESULTS}/finetune/{{run}}/metrics.tsv",
        summary=f"{RESULTS}/finetune/{{run}}/summary.json",
    log:
        f"{LOGS}/finetune/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/{{run}}.tsv"
    wildcard_constraints:
        run=names(FINETUNE),
    # Much is made of its answers; the analyses of pretraining can wait.
    priority: 1
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
        code=code_digest("finetune"),
        launch=launcher("finetune"),
        start=lambda wildcards, input: " ".join(
            f"--{key} {input[key]}"
            for key in ("start", "weights", "profiles", "teachers")
            if key in input.keys()
        ),
        candidates=PROJECT.evaluation.candidates,
        state=lambda wildcards: f"{RESULTS}/state/finetune/{wildcards.run}",
        output=lambda wildcards, output: str(Path(output.weights).parent),
    shell:
        "{params.launch} {input.code[0]} --config {input.config} --run {wildcards.run}"
        " {params.start} --candidates {params.candidates} --domains {input.domains} --split {input.split}"
        " --state {params.state} --output {params.output} --threads {threads} 2> {log}"
