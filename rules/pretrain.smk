# Run settings and pretraining.


rule pretraining:
    """All pretraining runs."""
    input:
        expand(f"{RESULTS}/pretrain/{{run}}/weights.safetensors", run=PRETRAIN),


rule run_config:
    """The settings of one run, resolved: all that its scripts read. Only a change of its content
    reaches the rules behind it."""
    output:
        f"{RESULTS}/runs/{{run}}/config.json",
    log:
        f"{LOGS}/run_config/{{run}}.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        **{key: run_setting(key) for run in PROJECT.runs for key in run_settings(run)},
        # A parameter that is made with the output is no reason to run again; those above are.
        text=lambda wildcards, output: json.dumps(
            run_settings(wildcards.run), indent=1, sort_keys=True
        ),
    shell:
        "printf '%s\\n' {params.text:q} > {output} 2> {log}"


rule pretrain:
    """Pretraining by any objective. Its training states lie in results/…/state, which Snakemake does
    not know: a job that was killed goes on where it was."""
    input:
        unpack(teacher_files),
        unpack(corpus_certificate_file),
        config=f"{RESULTS}/runs/{{run}}/config.json",
        corpus=lambda wildcards: expand(
            f"{RESULTS}/corpora/{PROJECT.runs[wildcards.run].corpus}/{{part}}/index.json",
            part=["train", "valid"],
        ),
        esm2=esm2_files,
        code=code("pretrain"),
    output:
        weights=f"{RESULTS}/pretrain/{{run}}/weights.safetensors",
        untrained=f"{RESULTS}/pretrain/{{run}}/untrained.safetensors",
        snapshots=directory(f"{RESULTS}/pretrain/{{run}}/snapshots"),
        metrics=f"{RESULTS}/pretrain/{{run}}/metrics.tsv",
        summary=f"{RESULTS}/pretrain/{{run}}/summary.json",
    log:
        f"{LOGS}/pretrain/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/{{run}}.tsv"
    wildcard_constraints:
        run=names(PRETRAIN),
    # The longest way through the workflow goes first.
    priority: 2
    conda:
        "../envs/torch.yaml"
    threads: need("pretrain", "threads")
    resources:
        mem_mb=need("pretrain", "mem_mb"),
        runtime=need("pretrain", "runtime"),
        gpu=need("pretrain", "gpu"),
        gpu_model=need("pretrain", "gpu_model"),
        gres=need("pretrain", "gres"),
        nodes=need("pretrain", "nodes"),
        tasks=need("pretrain", "tasks"),
        tasks_per_gpu=need("pretrain", "tasks_per_gpu"),
        mpi=need("pretrain", "mpi"),
    params:
        code=code_digest("pretrain"),
        launch=launcher("pretrain"),
        corpus=lambda wildcards, input: str(Path(input.corpus[0]).parents[1]),
        teacher=lambda wildcards, input: (
            f"--teacher {input.teacher_config} {input.teacher}"
            if "teacher" in input.keys()
            else ""
        ),
        state=lambda wildcards: f"{RESULTS}/state/pretrain/{wildcards.run}",
        output=lambda wildcards, output: str(Path(output.weights).parent),
    shell:
        "{params.launch} {input.code[0]} --config {input.config} --corpus {params.corpus}"
        " {params.teacher} --state {params.state} --output {params.output} --threads {threads} 2> {log}"


rule esm2_export:
    """A pretrained network of ESM-2's shape as a folder that transformers opens."""
    input:
        config=f"{RESULTS}/runs/{{run}}/config.json",
        weights=f"{RESULTS}/pretrain/{{run}}/weights.safetensors",
        code=code("esm2_export"),
    output:
        multiext(
            f"{RESULTS}/pretrain/{{run}}/esm2/",
            "config.json",
            "model.safetensors",
            "vocab.txt",
            "tokenizer_config.json",
        ),
    log:
        f"{LOGS}/esm2_export/{{run}}.log",
    wildcard_constraints:
        run=names(PRETRAIN),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("esm2_export"),
        output=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python {input.code[0]} --config {input.config} --weights {input.weights}"
        " --output {params.output} 2> {log}"
