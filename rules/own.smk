# Families of your own in the place of the provider's; everything else still comes from the provider.

if PROJECT.sources.families:
    OWN = PROJECT.sources.families

    # Whichever rule of the provider makes the two files gives way.
    for other in list(workflow.rules):
        workflow.ruleorder("own_families", other.name)

    rule own_families:
        """Pfam-A.seed.gz and pfamseq.gz from families of your own; unaligned ones are aligned."""
        input:
            families=OWN.file,
            proteins=[OWN.proteins] if OWN.proteins else [],
            code=code("own_families"),
        output:
            seed=f"{RESULTS}/sources/Pfam-A.seed.gz",
            pfamseq=f"{RESULTS}/sources/pfamseq.gz",
            rejects=f"{RESULTS}/sources/rejects.tsv",
        log:
            f"{LOGS}/own_families.log",
        benchmark:
            f"{RESULTS}/benchmarks/own_families.tsv"
        conda:
            "../envs/famsa.yaml"
        threads: need("profiles", "threads")
        resources:
            mem_mb=need("profiles", "mem_mb"),
            runtime=need("profiles", "runtime"),
        params:
            code=code_digest("own_families"),
            proteins=f"--proteins {OWN.proteins}" if OWN.proteins else "",
            columns=[f"{key}={name}" for key, name in OWN.columns.items()],
            min_domains=OWN.min_domains,
            max_domains=OWN.max_domains,
            max_reject_share=PROJECT.domains.max_reject_share,
            seed=PROJECT.seed,
        shell:
            "python {input.code[0]} --families {input.families} {params.proteins}"
            " --min-domains {params.min_domains} --max-domains {params.max_domains}"
            " --max-reject-share {params.max_reject_share} --seed {params.seed} --threads {threads}"
            " --seed-alignments {output.seed} --pfamseq {output.pfamseq}"
            " --rejects {output.rejects} --columns {params.columns} 2> {log}"
