"""What can be wrong with a record of the user's FASTA, and what is done about it."""

from __future__ import annotations

#: HMMER's comparison pipeline refuses longer targets.
MAX_LENGTH = 100_000
#: What can be wrong with a record, and what is done about it.
PROBLEMS = {
    "empty": "no residue: left out",
    "nucleotides": "letters of a nucleotide sequence: left out; translate it first",
    "too long": f"more than {MAX_LENGTH:,} residues, HMMER's limit: left out; cut it into pieces",
    "not a sequence": "more odd characters than residues: left out",
    "odd characters": "characters that are no amino acid: read as X",
    "stop codons": "stops (*) inside the sequence: read as X",
    "gaps": "alignment gaps (- and .): removed",
    "no name": "no name: numbered record_N",
    "duplicate name": "a name that came before: a number is put behind it",
}
LEFT_OUT = ("empty", "nucleotides", "too long", "not a sequence")
