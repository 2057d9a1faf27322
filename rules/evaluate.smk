# One evaluator for every method: predictions in, tables out.

# Only runs on the clustered split are compared; a run on the random split would flatter itself.
COMPARED = [name for name, run in FINETUNE.items() if run.split == "clustered"]


rule table_3:
    """Family accuracy of every method with intervals, beside the published numbers."""
    input:
        networks=expand(f"{RESULTS}/finetune/{{run}}/predictions.parquet", run=COMPARED),
        phmm=f"{RESULTS}/baselines/profile_hmm/clustered/predictions.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        random_phmm=f"{RESULTS}/baselines/profile_hmm/random/predictions.parquet",
        random_split=f"{RESULTS}/splits/random/split.parquet",
        code=code("table_3"),
    output:
        table=report(
            f"{RESULTS}/tables/table_3.tsv",
            caption="../workflow/report/table_3.rst",
            category="Tables",
        ),
        comparisons=f"{RESULTS}/tables/table_3.json",
    log:
        f"{LOGS}/table_3.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("table_3"),
        starts=[*(FINETUNE[name].weights for name in COMPARED), "none"],
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --split {input.split}"
        " --predictions {input.networks} {input.phmm} --starts {params.starts}"
        " --random-split {input.random_split} --random-phmm {input.random_phmm}"
        " --bootstrap {params.bootstrap} --confidence {params.confidence} --seed {params.seed}"
        " --table {output.table} --comparisons {output.comparisons} 2> {log}"
