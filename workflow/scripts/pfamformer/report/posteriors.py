"""What figures 10 and 11 share: from the options to the report files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.analysis.output import item_parser, write_analysis
from pfamformer.analysis.posteriors import read_frequencies
from pfamformer.report.distributions import numbers
from pfamformer.report.items import Item


def figure_of(
    description: str | None,
    quantity: str,
    limits: tuple[float, float],
    draw: Callable[[pd.DataFrame, np.ndarray], Figure],
    describe: Callable[[pd.DataFrame, np.ndarray], Item],
) -> None:
    """Parse, summarise one quantity of the posteriors, write.

    Args:
        quantity: column of the posteriors.
        limits: of its values, nats.
        draw, describe: get the posteriors or their summary, and the frequencies of residues.
    """
    parser = item_parser(description)
    parser.add_argument("--posteriors", required=True, help="posteriors.parquet")
    parser.add_argument("--frequencies", required=True, help="frequencies.json")
    arguments = parser.parse_args()
    posteriors = pd.read_parquet(arguments.posteriors)
    frequency_20 = read_frequencies(arguments.frequencies)
    table = numbers(
        posteriors,
        quantity,
        limits,
        draws=arguments.bootstrap,
        confidence=arguments.confidence,
        seed=arguments.seed,
    )
    write_analysis(arguments, draw(posteriors, frequency_20), table, describe(table, frequency_20))
