# Methods that the network must beat, on the same splits.


rule baselines:
    """Predictions of all methods that are not networks, on both splits."""
    input:
        expand(
            f"{RESULTS}/baselines/{{method}}/{{split}}/predictions.parquet",
            method=BASELINES,
            split=SPLITS,
        ),


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
        output=lambda wildcards, output: str(Path(output.predictions).parent),
    shell:
        "python {input.code[0]} --seed-alignments {input.seed} --min-length {params.min_length}"
        " --domains {input.domains} --split {input.split} --seed {params.seed}"
        " --run profile_hmm --threads {threads} --profiles {output.profiles}"
        " --candidates {params.candidates} --output {params.output} 2> {log}"


rule neighbours:
    """Nearest training domains by MMseqs2 at two sensitivities, their vote, and the majority class."""
    input:
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/{{split}}/split.parquet",
        certificate=f"{RESULTS}/splits/{{split}}/leakage.json",
        code=code("neighbours"),
    output:
        [
            f"{RESULTS}/baselines/{method}/{{split}}/{file}.parquet"
            for method in NEIGHBOURS
            for file in ("predictions", "scores")
        ],
    log:
        f"{LOGS}/neighbours/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/neighbours/{{split}}.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("neighbours"),
        candidates=PROJECT.evaluation.candidates,
        folder=lambda wildcards, output: str(Path(output[0]).parents[2]),
    shell:
        "python {input.code[0]} --domains {input.domains} --split {input.split}"
        " --candidates {params.candidates} --threads {threads} --output {params.folder}"
        " --name {wildcards.split} 2> {log}"
