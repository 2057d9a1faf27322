# Similarity within families, components, split, and the certificate without which nothing trains.


rule splits:
    """Both splits with their leakage certificates."""
    input:
        expand(
            f"{RESULTS}/splits/{{split}}/{{file}}",
            split=SPLITS,
            file=["split.parquet", "leakage.json"],
        ),


rule similarity:
    """Smith-Waterman alignments of all pairs of domains of the same family."""
    input:
        domains=f"{RESULTS}/domains/domains.parquet",
        code=code("similarity"),
    output:
        f"{RESULTS}/splits/similarity.parquet",
    log:
        f"{LOGS}/similarity.log",
    benchmark:
        f"{RESULTS}/benchmarks/similarity.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("similarity"),
    shell:
        "python {input.code[0]} --domains {input.domains} --threads {threads}"
        " --output {output} 2> {log}"


rule split:
    """Whole components (clustered) or rows (random) assigned to train, dev and test."""
    input:
        domains=f"{RESULTS}/domains/domains.parquet",
        similarity=f"{RESULTS}/splits/similarity.parquet",
        code=code("split"),
    output:
        split=f"{RESULTS}/splits/{{split}}/split.parquet",
        held_out=f"{RESULTS}/splits/{{split}}/held_out.parquet",
    log:
        f"{LOGS}/split/{{split}}.log",
    conda:
        "../envs/mmseqs2.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("split"),
        min_identity=PROJECT.splits.min_identity,
        min_coverage=PROJECT.splits.min_coverage,
        dev_share=PROJECT.splits.dev_share,
        test_share=PROJECT.splits.test_share,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --domains {input.domains} --similarity {input.similarity}"
        " --method {wildcards.split} --min-identity {params.min_identity}"
        " --min-coverage {params.min_coverage} --dev-share {params.dev_share}"
        " --test-share {params.test_share} --seed {params.seed} --output {output.split}"
        " --held-out {output.held_out} 2> {log}"


rule certify:
    """An independent search of held-out against training domains; fails above zero leaking pairs,
    except for the random split, which leaks by construction and says so."""
    input:
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/{{split}}/split.parquet",
        code=code("certify"),
    output:
        f"{RESULTS}/splits/{{split}}/leakage.json",
    log:
        f"{LOGS}/certify/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/certify/{{split}}.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("certify"),
        min_identity=PROJECT.splits.min_identity,
        min_coverage=PROJECT.splits.min_coverage,
        prefilter=PROJECT.splits.certificate_prefilter,
        may_leak=lambda wildcards: "--may-leak" if wildcards.split == "random" else "",
    shell:
        "python {input.code[0]} --domains {input.domains} --split {input.split}"
        " --min-identity {params.min_identity} --min-coverage {params.min_coverage}"
        " --prefilter {params.prefilter} --threads {threads} {params.may_leak}"
        " --output {output} 2> {log}"
