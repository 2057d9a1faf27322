# Token shards for pretraining. Held-out domains of the clustered split stay away from all of them.

SHARDS = {
    "pfam_domains": ["all"],
    "pfam_proteins": ["all"],
    "uniparc": [f"p{i}" for i in UNIPARC_CHUNKS],
}


rule corpora:
    """The corpora that the configured runs read."""
    input:
        expand(f"{RESULTS}/corpora/{{corpus}}/train/index.json", corpus=CORPORA),


rule corpus_shard:
    """One shard: training and validation tokens, and how many sequences were left out and why."""
    input:
        unpack(shard_source),
        held_out=f"{RESULTS}/splits/clustered/held_out.parquet",
        certificate=f"{RESULTS}/splits/clustered/leakage.json",
        code=code("corpus_shard"),
    output:
        entry=f"{RESULTS}/corpora/{{corpus}}/shards/{{shard}}.json",
        tokens=[
            f"{RESULTS}/corpora/{{corpus}}/{part}/{{shard}}.{kind}"
            for part in ("train", "valid")
            for kind in ("tokens", "offsets", "hashes")
        ],
    log:
        f"{LOGS}/corpus_shard/{{corpus}}.{{shard}}.log",
    conda:
        "../envs/tables.yaml"
    threads: need("corpora", "threads")
    resources:
        mem_mb=need("corpora", "mem_mb"),
        runtime=need("corpora", "runtime"),
    params:
        code=code_digest("corpus_shard"),
        folder=lambda wildcards, output: str(Path(output.entry).parents[1]),
        source=lambda wildcards, input: " ".join(
            f"--{key} {input[key]}"
            for key in ("fasta", "proteins", "domains", "split")
            if key in input.keys()
        ),
        limits=" ".join(
            f"--{key.replace('_', '-')} {getattr(PROJECT.corpora, key)}"
            for key in ("min_length", "max_length", "max_ambiguous", "fraction", "valid_share")
        ),
    shell:
        "python {input.code[0]} --held-out {input.held_out} {params.source} {params.limits}"
        " --name {wildcards.shard} --folder {params.folder} 2> {log}"


rule corpus_index:
    """The indexes of a corpus: its shards in order, with counts and checksums; duplicates
    between shards are marked."""
    input:
        shards=lambda wildcards: [
            f"{RESULTS}/corpora/{wildcards.corpus}/shards/{shard}.json"
            for shard in SHARDS[wildcards.corpus]
        ],
        code=code("corpus_index"),
    output:
        train=f"{RESULTS}/corpora/{{corpus}}/train/index.json",
        valid=f"{RESULTS}/corpora/{{corpus}}/valid/index.json",
    log:
        f"{LOGS}/corpus_index/{{corpus}}.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("corpora", "mem_mb"),
        runtime=need("corpora", "runtime"),
    params:
        code=code_digest("corpus_index"),
        folder=lambda wildcards, output: str(Path(output.train).parents[1]),
    shell:
        "python {input.code[0]} --shards {input.shards} --folder {params.folder} 2> {log}"
