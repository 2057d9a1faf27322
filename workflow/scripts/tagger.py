"""Train a residue tagger and call domains on held-out proteins; continues after a kill."""

from pfamformer.command import run
from pfamformer.config import TaggerSettings
from pfamformer.methods.family_halves import aligned_families
from pfamformer.methods.profile_locator import training_domains
from pfamformer.tables import read_table
from pfamformer.training.options import run_of, task_parser
from pfamformer.training.tagging import train_tagger


def main() -> None:
    """Parse, train, call, write."""
    parser = task_parser(__doc__, "tagger")
    parser.add_argument("--run", required=True, help="its name")
    parser.add_argument("--sequences", required=True, help="localisation/sequences.parquet")
    parser.add_argument("--domains", required=True, help="localisation/domains.parquet")
    parser.add_argument("--seed-alignments", help="Stockholm file, for the encoder 'chain'")
    parser.add_argument("--all-domains", help="domains.parquet, of the seed alignments")
    parser.add_argument("--min-length", type=int, default=1, help="as for the domain table")
    arguments = parser.parse_args()
    settings, start = run_of(parser, arguments, TaggerSettings)
    table = read_table("localisation", arguments.sequences)
    aligned = None
    if settings.needs_profiles:
        if not (arguments.seed_alignments and arguments.all_domains):
            parser.error("the encoder 'chain' needs --seed-alignments and --all-domains")
        train = training_domains(read_table("domains", arguments.all_domains), table)
        aligned = aligned_families(arguments.seed_alignments, train, arguments.min_length)
    train_tagger(
        settings,
        start,
        table,
        read_table("localisation_domains", arguments.domains),
        arguments.state,
        arguments.output,
        arguments.threads,
        arguments.run,
        aligned,
    )


if __name__ == "__main__":
    run(main)
