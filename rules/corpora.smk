# Token shards for pretraining. Held-out domains of the clustered split stay away from all of them,
# but for the corpus that shows what happens otherwise: the random split's are kept away from that.

SHARDS = {
    "pfam_domains": ["all"],
    "pfam_proteins": ["all"],
    LEAKY_CORPUS: ["all"],
    "uniparc": [f"p{i}" for i in UNIPARC_CHUNKS],
}
# Shards that one job of the certificate searches: 20 jobs for the 200 chunks of UniParc.
CERTIFIED_TOGETHER = 10
HOMOLOGUES = PROJECT.corpora.exclude_test_homologues
LINCLUST = PROJECT.corpora.linclust
HOMOLOGUE_DEFINITION = f"--definition '{HOMOLOGUES.model_dump_json()}'" if HOMOLOGUES else ""


rule corpora:
    """The corpora that the configured runs read."""
    input:
        expand(f"{RESULTS}/corpora/{{corpus}}/train/index.json", corpus=CORPORA),
        expand(f"{RESULTS}/corpora/{{corpus}}/leakage.json", corpus=SOUND_CORPORA),


rule corpus_shard:
    """One shard: training and validation tokens, and how many sequences were left out and why."""
    input:
        unpack(shard_source),
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
    # The longest way through the workflow goes first.
    priority: 2
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


rule corpus_homologues:
    """Training sequences of a shard that hold a homologue of a held-out domain."""
    input:
        shard=f"{RESULTS}/corpora/{{corpus}}/shards/{{shard}}.json",
        held_out=f"{RESULTS}/splits/clustered/held_out.parquet",
        code=code("corpus_homologues"),
    output:
        f"{RESULTS}/corpora/{{corpus}}/homologues/{{shard}}.parquet",
    log:
        f"{LOGS}/corpus_homologues/{{corpus}}.{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/corpus_homologues/{{corpus}}.{{shard}}.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("corpus_homologues"),
        folder=lambda wildcards: f"{RESULTS}/corpora/{wildcards.corpus}/train",
        definition=HOMOLOGUE_DEFINITION,
    shell:
        "python {input.code[0]} --shard {input.shard} --folder {params.folder}"
        " --held-out {input.held_out} {params.definition} --threads {threads}"
        " --output {output} 2> {log}"


rule corpus_clusters:
    """Linclust clusters of a corpus, and the members beyond the first few of each."""
    input:
        unpack(clustered_files),
        code=code("corpus_clusters"),
    output:
        f"{RESULTS}/corpora/{{corpus}}/surplus.parquet",
    log:
        f"{LOGS}/corpus_clusters/{{corpus}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/corpus_clusters/{{corpus}}.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("corpus_clusters"),
        folder=lambda wildcards: f"{RESULTS}/corpora/{wildcards.corpus}/train",
        left_out=lambda wildcards, input: left_out(input, "homologues"),
        settings=" ".join(
            f"--{key.replace('_', '-')} {value}"
            for key, value in (LINCLUST.model_dump() if LINCLUST else {}).items()
        ),
    shell:
        "python {input.code[0]} --shards {input.shards} {params.left_out} --folder {params.folder}"
        " {params.settings} --threads {threads} --output {output} 2> {log}"


rule corpus_index:
    """The indexes of a corpus: its shards in order, with counts and checksums; duplicates
    between shards, homologues of held-out domains and surplus members of clusters are marked."""
    input:
        unpack(corpus_files),
        code=code("corpus_index"),
    output:
        train=f"{RESULTS}/corpora/{{corpus}}/train/index.json",
        valid=f"{RESULTS}/corpora/{{corpus}}/valid/index.json",
    log:
        f"{LOGS}/corpus_index/{{corpus}}.log",
    # The longest way through the workflow goes first.
    priority: 2
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("corpora", "mem_mb"),
        runtime=need("corpora", "runtime"),
    params:
        code=code_digest("corpus_index"),
        folder=lambda wildcards, output: str(Path(output.train).parents[1]),
        left_out=lambda wildcards, input: left_out(input, "homologues", "surplus"),
    shell:
        "python {input.code[0]} --shards {input.shards} {params.left_out}"
        " --folder {params.folder} 2> {log}"


rule corpus_certificate:
    """A search of held-out domains in what is left of a corpus, some shards at a time."""
    input:
        index=f"{RESULTS}/corpora/{{corpus}}/train/index.json",
        held_out=f"{RESULTS}/splits/clustered/held_out.parquet",
        code=code("corpus_certificate"),
    output:
        f"{RESULTS}/corpora/{{corpus}}/certificate/{{batch}}.json",
    log:
        f"{LOGS}/corpus_certificate/{{corpus}}.{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/corpus_certificate/{{corpus}}.{{batch}}.tsv"
    wildcard_constraints:
        batch=r"\d+",
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("corpus_certificate"),
        size=CERTIFIED_TOGETHER,
        definition=HOMOLOGUE_DEFINITION,
    shell:
        "python {input.code[0]} --index {input.index} --batch {wildcards.batch}"
        " --size {params.size} --held-out {input.held_out} {params.definition}"
        " --threads {threads} --output {output} 2> {log}"


rule corpus_leakage:
    """The certificate of a corpus against the held-out domains; fails where any homologue is left."""
    input:
        index=f"{RESULTS}/corpora/{{corpus}}/train/index.json",
        held_out=f"{RESULTS}/splits/clustered/held_out.parquet",
        found=certificate_files,
        code=code("corpus_leakage"),
    output:
        f"{RESULTS}/corpora/{{corpus}}/leakage.json",
    log:
        f"{LOGS}/corpus_leakage/{{corpus}}.log",
    conda:
        "../envs/mmseqs2.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("corpus_leakage"),
        definition=HOMOLOGUE_DEFINITION,
    shell:
        "python {input.code[0]} --index {input.index} --held-out {input.held_out}"
        " --found {input.found} {params.definition} --output {output} 2> {log}"
