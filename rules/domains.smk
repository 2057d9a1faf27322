# Seed alignments to tables: domains (D1), their families, full-length proteins (D2).


rule domains:
    """The domain, family and protein tables."""
    input:
        f"{RESULTS}/domains/domains.parquet",
        f"{RESULTS}/domains/families.tsv",
        f"{RESULTS}/domains/proteins.parquet",


rule parse_seed:
    """One row per domain of the seed alignments; broken rows are listed with the reason."""
    input:
        seed=f"{RESULTS}/sources/Pfam-A.seed.gz",
        # Pfam's own list of clans, where the sources bring it; else the clans of the seed file.
        clans=[path for path in SOURCE_FILES if path.endswith("Pfam-A.clans.tsv.gz")],
        code=code("parse_seed"),
    output:
        domains=f"{RESULTS}/domains/domains.parquet",
        families=f"{RESULTS}/domains/families.tsv",
        rejects=f"{RESULTS}/domains/rejects.tsv",
    log:
        f"{LOGS}/parse_seed.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("parse_seed"),
        clans=lambda wildcards, input: f"--clans {input.clans}" if input.clans else "",
        min_length=PROJECT.domains.min_length,
        max_ambiguous_share=PROJECT.domains.max_ambiguous_share,
        max_reject_share=PROJECT.domains.max_reject_share,
    shell:
        "python {input.code[0]} --seed {input.seed} {params.clans}"
        " --min-length {params.min_length} --max-ambiguous {params.max_ambiguous_share}"
        " --max-reject-share {params.max_reject_share} --domains {output.domains}"
        " --families {output.families} --rejects {output.rejects} 2> {log}"


rule full_length:
    """The whole sequence of every protein with a domain; each domain is checked against it."""
    input:
        domains=f"{RESULTS}/domains/domains.parquet",
        pfamseq=f"{RESULTS}/sources/pfamseq.gz",
        code=code("full_length"),
    output:
        f"{RESULTS}/domains/proteins.parquet",
    log:
        f"{LOGS}/full_length.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("full_length"),
    shell:
        "python {input.code[0]} --domains {input.domains} --pfamseq {input.pfamseq}"
        " --output {output} 2> {log}"
