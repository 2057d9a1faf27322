# Components of similar domains within families, split, and the certificate without which nothing trains.


rule splits:
    """Both splits with their leakage certificates."""
    input:
        expand(
            f"{RESULTS}/splits/{{split}}/{{file}}",
            split=SPLITS,
            file=["split.parquet", "leakage.json"],
        ),


rule components:
    """Connected components of similar domains within each family."""
    input:
        unpack(split_alignments),
        domains=f"{RESULTS}/domains/domains.parquet",
        code=code("components"),
    output:
        table=f"{RESULTS}/splits/components.parquet",
        about=f"{RESULTS}/splits/components.json",
    log:
        f"{LOGS}/components.log",
    benchmark:
        f"{RESULTS}/benchmarks/components.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("components"),
        alignments=alignments_option,
        min_identity=PROJECT.splits.min_identity,
        min_coverage=PROJECT.splits.min_coverage,
        min_bits=PROJECT.splits.min_bits,
        exhaustive_up_to=PROJECT.splits.exhaustive_up_to,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --domains {input.domains} {params.alignments}"
        " --min-identity {params.min_identity} --min-coverage {params.min_coverage}"
        " --min-bits {params.min_bits}"
        " --exhaustive-up-to {params.exhaustive_up_to} --seed {params.seed} --threads {threads}"
        " --output {output.table} --about {output.about} 2> {log}"


rule split:
    """Whole components (clustered) or rows (random) assigned to train, dev and test."""
    input:
        unpack(split_alignments),
        domains=f"{RESULTS}/domains/domains.parquet",
        components=f"{RESULTS}/splits/components.parquet",
        code=code("split"),
    output:
        split=f"{RESULTS}/splits/{{split}}/split.parquet",
        held_out=f"{RESULTS}/splits/{{split}}/held_out.parquet",
        summary=f"{RESULTS}/splits/{{split}}/summary.tsv",
        totals=f"{RESULTS}/splits/{{split}}/summary.json",
    log:
        f"{LOGS}/split/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/split/{{split}}.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("split"),
        alignments=alignments_option,
        dev_share=PROJECT.splits.dev_share,
        test_share=PROJECT.splits.test_share,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --domains {input.domains} --components {input.components}"
        " {params.alignments} --method {wildcards.split} --dev-share {params.dev_share}"
        " --test-share {params.test_share} --seed {params.seed} --threads {threads}"
        " --output {output.split} --held-out {output.held_out} --summary {output.summary}"
        " --totals {output.totals} 2> {log}"


rule certify:
    """An independent search of held-out against training domains; fails above zero leaking pairs,
    except for the random split, which leaks by construction and says so."""
    input:
        unpack(split_alignments),
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
        alignments=alignments_option,
        min_identity=PROJECT.splits.min_identity,
        min_coverage=PROJECT.splits.min_coverage,
        min_bits=PROJECT.splits.min_bits,
        prefilter=PROJECT.splits.certificate_prefilter,
        may_leak=lambda wildcards: "--may-leak" if wildcards.split == "random" else "",
    shell:
        "python {input.code[0]} --domains {input.domains} --split {input.split} {params.alignments}"
        " --min-identity {params.min_identity} --min-coverage {params.min_coverage}"
        " --min-bits {params.min_bits}"
        " --prefilter {params.prefilter} --threads {threads} {params.may_leak}"
        " --output {output} 2> {log}"
