"""Files out of tar archives. Filters of :mod:`tarfile` need Python 3.11.4; Debian 12 has 3.11.2."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath


def extract_files(
    archive: tarfile.TarFile, folder: Path, wanted: Callable[[str], object] = bool
) -> None:
    """Write the regular files of an archive below a folder; links and devices are left out.

    Args:
        wanted: whether a file of this name (without its folders) is written.

    Raises:
        tarfile.TarError: damaged; a file would lie outside of the folder.
    """
    folder = folder.resolve()
    for member in archive:
        if not (member.isfile() and wanted(PurePosixPath(member.name).name)):
            continue
        target = (folder / member.name).resolve()
        if not target.is_relative_to(folder):
            raise tarfile.TarError(f"{member.name} would lie outside of its folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.extractfile(member) as source, open(target, "wb") as out:
            shutil.copyfileobj(source, out)
