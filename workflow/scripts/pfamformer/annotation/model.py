"""A trained model as one folder: all that annotation needs, and nothing of the training data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfamformer.errors import InputError

#: Changes whenever an older folder can no longer be read.
FORMAT = 1
#: The file that describes the others: labels, calibration, thresholds, checksums.
ABOUT = "model.json"
#: Parts of a model, each one file; a model need not have all.
FILES = {
    "profiles": "profiles.hmm",
    "families": "families.tsv",
    "classifier": "classifier.safetensors",
    "tagger": "tagger.safetensors",
    "terms": "terms.tsv",
    "term_network": "term_network.safetensors",
    "family_terms": "family_terms.tsv",
}


def sha256_of(path: Path) -> str:
    """Hex digits of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Model:
    """A model folder.

    Attributes:
        about: ``model.json``: for each part its run, calibration and measured quality.
    """

    folder: Path
    about: dict[str, Any]

    @classmethod
    def read(cls, folder: str | Path, check: bool = True) -> Model:
        """Read the description of a model folder.

        Args:
            check: also compare every file with its checksum.

        Raises:
            InputError: no model folder, one of another format, or a file that is not the model's.
        """
        path = Path(folder) / ABOUT
        remedy = "Name the folder that 'snakemake model' wrote"
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(path, "no such file", remedy=remedy) from error
        except ValueError as error:
            raise InputError(path, f"no model ({error})", remedy=remedy) from error
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise InputError(path, f"not a model of format {FORMAT}", remedy=remedy)
        model = cls(Path(folder), about)
        for part, digest in about["files"].items() if check else ():
            file = model.folder / FILES[part]
            if not file.is_file() or sha256_of(file) != digest:
                raise InputError(
                    file, "not the file that belongs to this model",
                    remedy="Copy the whole folder again",
                )  # fmt: skip
        return model

    def path(self, part: str) -> Path | None:
        """The file of a part; None where the model has none."""
        return self.folder / FILES[part] if part in self.about["files"] else None
