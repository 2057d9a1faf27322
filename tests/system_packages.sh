#!/bin/sh
# Install the system packages of the SLURM and browser tests (Debian, Ubuntu; as root), if missing.
# Where that is impossible it says so and succeeds: those tests then skip themselves.
set -eu

skip() {
    echo "system packages: $1; the SLURM and browser tests will be skipped where theirs are missing."
    exit 0
}

missing=""
# need PACKAGE PROGRAM...: note the package unless one of the programs is there, however installed.
# The daemons lie in sbin, which is not on every PATH.
need() {
    package=$1
    shift
    for program in "$@"; do
        if PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$program" >/dev/null 2>&1; then
            return 0
        fi
    done
    missing="$missing $package"
}

need slurmctld slurmctld
need slurmd slurmd
need slurmdbd slurmdbd
need slurm-client sbatch
need munge munged
need mariadb-server mariadbd
need chromium chromium chromium-browser google-chrome google-chrome-stable

if [ -z "$missing" ]; then
    echo "system packages: everything is there, nothing to do."
    exit 0
fi
command -v apt-get >/dev/null 2>&1 || skip "no apt-get here to install$missing"
[ "$(id -u)" -eq 0 ] || skip "installing$missing needs root"

# The packages' scripts start services. The tests start daemons of their own, so a policy that
# forbids it stands in for the time of the installation, unless the machine has one of its own.
policy=/usr/sbin/policy-rc.d
made_policy=""
restore() {
    if [ -n "$made_policy" ]; then
        rm -f "$policy"
        made_policy=""
    fi
}
trap restore EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
echo "system packages: installing$missing"
log=$(mktemp)
install_quietly() {
    apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1
}
# Fresh package lists only where the present ones do not do: that is the slow part.
# shellcheck disable=SC2086  # one word per package
if ! install_quietly $missing; then
    apt-get update -q >>"$log" 2>&1 || true
    # One by one: where a distribution lacks one package, the others are still of use.
    failed=""
    for package in $missing; do
        install_quietly "$package" || failed="$failed $package"
    done
    if [ -n "$failed" ]; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        skip "installing$failed failed (see above)"
    fi
fi
rm -f "$log"
echo "system packages: installed$missing."
