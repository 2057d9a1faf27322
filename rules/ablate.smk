# Runs beside a base run: config/ablations/*.yaml name them.

ITEMS.extend(f"{RESULTS}/ablations/{name}.json" for name in PROJECT.ablations)


rule ablation:
    """The comparisons that the configuration names; only missing runs are trained."""
    input:
        expand(f"{RESULTS}/ablations/{{ablation}}.json", ablation=PROJECT.ablations),


rule compare_runs:
    """What each run differs in, gains over the base run with an interval, and costs."""
    input:
        unpack(ablation_runs),
        code=code("ablation"),
    output:
        numbers=f"{RESULTS}/ablations/{{ablation}}.tsv",
        figure=report(
            f"{RESULTS}/ablations/{{ablation}}.svg",
            caption="../workflow/report/ablation.rst",
            category="Ablations",
            labels={"item": "{ablation}"},
        ),
        item=f"{RESULTS}/ablations/{{ablation}}.json",
    log:
        f"{LOGS}/compare_runs/{{ablation}}.log",
    wildcard_constraints:
        ablation=names(PROJECT.ablations),
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("ablation"),
        settings=lambda wildcards: json.dumps(
            PROJECT.ablations[wildcards.ablation].model_dump(), sort_keys=True
        ),
        replicates=lambda wildcards: json.dumps(
            {
                name: PROJECT.trained(name)
                for ablation in [PROJECT.ablations[wildcards.ablation]]
                for name in (ablation.base, *ablation.runs)
            }
        ),
        combined=lambda wildcards: [
            name
            for ablation in [PROJECT.ablations[wildcards.ablation]]
            for name in (ablation.base, *ablation.runs)
            if name in COMBINATIONS
        ],
        results=lambda wildcards, output: str(Path(output.item).parents[2]),
        project=PROJECT.project,
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --name {wildcards.ablation} --settings {params.settings:q}"
        " --replicates {params.replicates:q} --combined {params.combined} --results {params.results}"
        " --project {params.project} --bootstrap {params.bootstrap}"
        " --confidence {params.confidence} --seed {params.seed} --output {output.numbers} 2> {log}"
