# pfamformer: what a protein does, from its sequence alone.
#
#   snakemake                      everything, with config/config.yaml (the demo)
#   snakemake table_3              one table or figure
#   snakemake --configfile config/full.yaml --profile slurm


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/inputs.smk"


wildcard_constraints:
    run=names(PROJECT.runs),
    split=names(SPLITS),
    corpus=names(CORPORA),
    package=names(WHEELS),


localrules:
    all,
    sources,
    domains,
    splits,
    corpora,
    pretraining,
    finetuning,
    baselines,
    ablation,
    annotate,
    tasks,
    go,
    run_config,
    project_config,


rule all:
    default_target: True
    input:
        files_of("report", "sources", "domains"),


include: "rules/sources.smk"
include: "rules/own.smk"
include: "rules/domains.smk"
include: "rules/splits.smk"
include: "rules/localisation.smk"
include: "rules/corpora.smk"
include: "rules/pretrain.smk"
include: "rules/finetune.smk"
include: "rules/baselines.smk"
include: "rules/evaluate.smk"
include: "rules/tasks.smk"
include: "rules/folds.smk"
include: "rules/tape.smk"
include: "rules/function.smk"
include: "rules/analyse.smk"
include: "rules/annotate.smk"
include: "rules/ablate.smk"
include: "rules/report.smk"
include: "rules/messages.smk"
