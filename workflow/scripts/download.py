"""Fetch one file from any of its mirrors: resumed, verified, under its name only when whole."""

import argparse

from pfamformer.command import run
from pfamformer.config import TransferSettings
from pfamformer.sources.downloads import fetch, take_offline
from pfamformer.sources.sites import Download


def main() -> None:
    """Parse, fetch or link."""
    arguments = _parser().parse_args()
    download = Download(
        name=arguments.name,
        path=arguments.path,
        urls=tuple(arguments.urls),
        size=arguments.size,
        checksum=arguments.checksum,
        release=arguments.release,
    )
    listing = arguments.listing
    if arguments.offline:
        take_offline(download, arguments.output, folder=arguments.offline, listing=listing)
        return
    transfer = TransferSettings(
        attempts=arguments.attempts,
        first_wait=arguments.first_wait,
        longest_wait=arguments.longest_wait,
        stall=arguments.stall,
    )
    fetch(download, arguments.output, state=arguments.state, transfer=transfer, listing=listing)


def _parser() -> argparse.ArgumentParser:
    patience = TransferSettings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="name of the file below sources/")
    parser.add_argument("--path", required=True, help="its path at the site")
    parser.add_argument("--urls", required=True, nargs="+", help="addresses, preferred first")
    parser.add_argument("--size", type=int, help="bytes that it must have")
    parser.add_argument("--checksum", help="algorithm:digits that it must have")
    parser.add_argument("--listing", help="the site's list of checksums")
    parser.add_argument("--release", help="release that this list must be of")
    parser.add_argument("--offline", help="folder to take it from instead")
    parser.add_argument("--attempts", type=int, default=patience.attempts)
    parser.add_argument("--first-wait", type=float, default=patience.first_wait, help="seconds")
    parser.add_argument("--longest-wait", type=float, default=patience.longest_wait)
    parser.add_argument("--stall", type=int, default=patience.stall, help="seconds below 1 kB/s")
    parser.add_argument("--state", required=True, help="folder for files that are still arriving")
    parser.add_argument("--output", required=True)
    return parser


if __name__ == "__main__":
    run(main)
