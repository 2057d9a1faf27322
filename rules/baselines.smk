# Methods that the network must beat, on the same splits.


rule baselines:
    """Predictions of the top-pick profile HMM on both splits."""
    input:
        expand(f"{RESULTS}/baselines/profile_hmm/{{split}}/predictions.parquet", split=SPLITS),


rule profile_hmm:
    """One profile per family from its training rows, two search passes, the highest score wins."""
    input:
        seed=f"{RESULTS}/sources/Pfam-A.seed.gz",
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/{{split}}/split.parquet",
        certificate=f"{RESULTS}/splits/{{split}}/leakage.json",
        code=code("profile_hmm"),
    output:
        profiles=f"{RESULTS}/baselines/profile_hmm/{{split}}/profiles.hmm",
        predictions=f"{RESULTS}/baselines/profile_hmm/{{split}}/predictions.parquet",
        scores=f"{RESULTS}/baselines/profile_hmm/{{split}}/scores.parquet",
    log:
        f"{LOGS}/profile_hmm/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/profile_hmm/{{split}}.tsv"
    conda:
        "../envs/hmmer.yaml"
    threads: need("profiles", "threads")
    resources:
        mem_mb=need("profiles", "mem_mb"),
        runtime=need("profiles", "runtime"),
    params:
        code=code_digest("profile_hmm"),
        min_length=PROJECT.domains.min_length,
        seed=PROJECT.seed,
        candidates=PROJECT.evaluation.candidates,
    shell:
        "python {input.code[0]} --seed-alignments {input.seed} --min-length {params.min_length}"
        " --domains {input.domains} --split {input.split} --seed {params.seed}"
        " --run profile_hmm --threads {threads} --profiles {output.profiles}"
        " --candidates {params.candidates} --scores {output.scores}"
        " --predictions {output.predictions} 2> {log}"
