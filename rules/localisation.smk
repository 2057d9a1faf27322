# Where on a protein each family lies: the data set of the localisation experiments.

LOCALISATION = f"{RESULTS}/localisation"


rule localisation_data:
    """Proteins cut between domains, their domains, shuffled negatives; a split of proteins in which
    no held-out domain has a homologue on a training protein, with its certificate."""
    input:
        domains=f"{RESULTS}/domains/domains.parquet",
        proteins=f"{RESULTS}/domains/proteins.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        code=code("localisation_data"),
    output:
        table=f"{LOCALISATION}/sequences.parquet",
        places=f"{LOCALISATION}/domains.parquet",
        leakage=f"{LOCALISATION}/leakage.json",
        summary=f"{LOCALISATION}/summary.json",
    log:
        f"{LOGS}/localisation_data.log",
    benchmark:
        f"{RESULTS}/benchmarks/localisation_data.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("localisation_data"),
        max_length=PROJECT.localisation.max_length,
        shuffled_share=PROJECT.localisation.shuffled_share,
        dev_share=PROJECT.splits.dev_share,
        test_share=PROJECT.splits.test_share,
        min_identity=PROJECT.splits.min_identity,
        min_coverage=PROJECT.splits.min_coverage,
        prefilter=PROJECT.splits.certificate_prefilter,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --domains {input.domains} --proteins {input.proteins}"
        " --split {input.split} --max-length {params.max_length}"
        " --shuffled-share {params.shuffled_share} --dev-share {params.dev_share}"
        " --test-share {params.test_share} --min-identity {params.min_identity}"
        " --min-coverage {params.min_coverage} --prefilter {params.prefilter}"
        " --seed {params.seed} --threads {threads} --table {output.table}"
        " --places {output.places} --leakage {output.leakage} --summary {output.summary} 2> {log}"
