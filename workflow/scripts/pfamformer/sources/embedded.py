"""The embedded sources: human proteins and Pfam profiles made into the files that Pfam serves.

The profiles of the chosen families are searched against the human proteome at their gathering
thresholds; what they find becomes ``Pfam-A.seed.gz`` in Pfam's own format. The labels are therefore
*made by profile HMMs*: every report built on them says so, because it favours HMM baselines.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyhmmer
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from pyhmmer.plan7 import HMM, HMMFile

from pfamformer.command import log
from pfamformer.errors import InputError
from pfamformer.sequences.fasta import open_gzip_writer
from pfamformer.sequences.stockholm import stockholm_entry
from pfamformer.sources.wheels import open_member

PROTEOME = "kstar/RESOURCE_FILES/humanProteome.fasta"
PROFILES = "gecco/hmmer/Pfam.h3m"
AMINO = Alphabet.amino()
_UNIPROT = re.compile(r"^\w+\|(?P<accession>[^|]+)\|(?P<entry>\S+) ?(?P<rest>.*)$")
_VERSION = re.compile(r"\bSV=(\d+)\b")


@dataclass(frozen=True)
class Protein:
    """A UniProt protein: accession with sequence version, entry name, description, sequence."""

    accession: str
    entry: str
    description: str
    sequence: str


def read_proteome(wheel: str | Path) -> list[Protein]:
    """The human proteins of the wheel, in its order."""
    proteins = []
    with open_member(wheel, PROTEOME) as file:
        for chunk in file.read().decode("ascii").split("\n>"):
            header, _, body = chunk.lstrip(">").partition("\n")
            match = _UNIPROT.match(header)
            if match is None:
                raise InputError(wheel, "not a UniProt header", record=header[:60])
            version = _VERSION.search(header)
            proteins.append(
                Protein(
                    f"{match['accession']}.{version[1] if version else 1}",
                    match["entry"],
                    match["rest"],
                    body.replace("\n", ""),
                )
            )
    return proteins


def read_profiles(wheel: str | Path, accessions: Sequence[str]) -> list[HMM]:
    """The profiles with these accessions (without version), in the order asked for.

    Raises:
        InputError: an accession that the wheel does not hold, or that has no gathering threshold.
    """
    with open_member(wheel, PROFILES) as file, HMMFile(file) as profiles:
        found = {hmm.accession.split(".")[0]: hmm for hmm in profiles if hmm.accession}
    missing = [a for a in accessions if a not in found]
    if missing:
        raise InputError(
            wheel,
            f"holds no profile for {', '.join(missing[:5])}",
            record=f"{len(missing)} of {len(accessions)} families",
            remedy="Take them out of sources.embedded.families",
        )
    return [found[a] for a in accessions]


def write_seed(
    proteome: str | Path,
    profiles: str | Path,
    accessions: Sequence[str],
    output: str | Path,
    regions: str | Path,
    *,
    max_domains: int,
    seed: int,
    threads: int,
) -> int:
    """Search, draw, align and write ``Pfam-A.seed.gz``; returns the number of rows written.

    What was found and not drawn is listed in ``Pfam-A.regions.tsv.gz`` with all the rest.

    Args:
        accessions: Pfam accessions without version.
        max_domains: at most this many domains of a family, a draw without replacement.
        seed: of the draws; each family has its own stream, so that adding one moves no other.

    Raises:
        InputError: a family without any domain in the proteome.
    """
    proteins = {p.accession: p for p in read_proteome(proteome)}
    block = DigitalSequenceBlock(
        AMINO,
        [
            TextSequence(name=p.accession, sequence=p.sequence).digitize(AMINO)
            for p in proteins.values()
        ],
    )
    hmms = read_profiles(profiles, accessions)
    domains = _resolve_overlaps(_search(hmms, block, threads))
    with open_gzip_writer(regions) as out:
        out.write("protein\tstart\tend\tfamily\n")
        for family in sorted(domains):
            out.writelines(f"{p}\t{start}\t{end}\t{family}\n" for p, start, end in domains[family])
    rows = 0
    with open_gzip_writer(output) as out:
        for count, hmm in enumerate(hmms, 1):
            drawn = _draw(sorted(domains[hmm.accession]), max_domains, _stream(seed, hmm))
            if not drawn:
                raise InputError(
                    profiles,
                    "no domain of this family in the proteome",
                    record=f"family {hmm.accession}",
                    remedy=f"Take {hmm.accession.split('.')[0]} out of sources.embedded.families",
                )
            names = [f"{protein}/{start}-{end}" for protein, start, end in drawn]
            sequences = [proteins[p].sequence[start - 1 : end] for p, start, end in drawn]
            out.writelines(_entry(hmm, names, _align(hmm, names, sequences)))
            rows += len(names)
            if count % 20 == 0 or count == len(hmms):
                log.info("%d of %d families, %d domains", count, len(hmms), rows)
    return rows


def _stream(seed: int, hmm: HMM) -> np.random.Generator:
    return np.random.default_rng([seed, *hmm.accession.encode()])


@dataclass(frozen=True, order=True)
class _Hit:
    """A domain at or above its family's gathering threshold; the order is best score first."""

    minus_score: float
    family: str
    protein: str
    start: int
    end: int

    def covers(self, other: _Hit) -> bool:
        """Whether the two share more than half of the shorter one."""
        shared = min(self.end, other.end) - max(self.start, other.start) + 1
        return shared > 0.5 * min(self.end - self.start + 1, other.end - other.start + 1)


def _search(hmms: Sequence[HMM], block: DigitalSequenceBlock, threads: int) -> Iterator[_Hit]:
    """Envelopes of the domains at or above the gathering threshold (as Pfam counts them)."""
    searches = pyhmmer.hmmsearch(hmms, block, cpus=threads, bit_cutoffs="gathering", Z=len(block))
    for count, hits in enumerate(searches, 1):
        for hit in hits.included:
            for domain in hit.domains.included:
                family = hits.query.accession
                yield _Hit(-domain.score, family, hit.name, domain.env_from, domain.env_to)
        if count % 20 == 0:
            log.info("%d of %d profiles searched", count, len(hmms))


def _resolve_overlaps(hits: Iterable[_Hit]) -> dict[str, list[tuple[str, int, int]]]:
    """Domains by family, each stretch of a protein given to its best-scoring family only.

    Related profiles find the same residues; as in Pfam's clans the better one keeps them, so that
    no sequence carries two labels.
    """
    kept: dict[str, list[_Hit]] = defaultdict(list)
    domains: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for hit in sorted(set(hits)):
        if not any(other.family != hit.family and other.covers(hit) for other in kept[hit.protein]):
            kept[hit.protein].append(hit)
            domains[hit.family].append((hit.protein, hit.start, hit.end))
    return domains


def _draw(domains: list, most: int, stream: np.random.Generator) -> list:
    if len(domains) <= most:
        return domains
    chosen = stream.choice(len(domains), size=most, replace=False)
    return [domains[i] for i in sorted(chosen)]


def _align(hmm: HMM, names: list[str], sequences: list[str]) -> list[str]:
    block = DigitalSequenceBlock(
        AMINO,
        [
            TextSequence(name=n, sequence=s).digitize(AMINO)
            for n, s in zip(names, sequences, strict=True)
        ],
    )
    aligned = pyhmmer.hmmalign(hmm, block, trim=False, all_consensus_cols=False)
    return [str(row) for row in aligned.alignment]


def _entry(hmm: HMM, names: list[str], aligned: list[str]) -> Iterator[str]:
    sequence_ga, domain_ga = hmm.cutoffs.gathering
    features = {
        "ID": hmm.name,
        "AC": hmm.accession,
        "DE": hmm.description or hmm.name,
        "GA": f"{sequence_ga:.2f} {domain_ga:.2f};",
        "TP": "Domain",
        "SQ": len(names),
    }
    # Pfam writes one gap character; HMMER's insert columns (lower case, '.') carry no residue.
    rows = [row.upper().replace("-", ".") for row in aligned]
    yield from stockholm_entry(features, zip(names, rows, strict=True))


def pfamseq_records(proteins: Iterable[Protein]) -> Iterator[tuple[str, str]]:
    """Records of ``pfamseq``: ``ACCESSION.version ENTRY description``."""
    for protein in proteins:
        yield f"{protein.accession} {protein.entry} {protein.description}", protein.sequence


def uniparc_records(proteins: Iterable[Protein]) -> Iterator[tuple[str, str]]:
    """Records of UniParc: ``UPI… status=active``, one for each distinct sequence.

    The numbers are made here, in file order: the wheel does not carry UniParc's own.
    """
    seen: set[str] = set()
    for protein in proteins:
        if protein.sequence not in seen:
            seen.add(protein.sequence)
            yield f"UPI{len(seen):010X} status=active", protein.sequence
