"""Bring up a real SLURM cluster of several nodes on one machine, for the tests.

Everything the cluster consists of belongs to it alone: its own munged (key and socket), MariaDB
(data directory, Unix socket only), slurmdbd, slurmctld and one slurmd per node, on ports picked at
start, with all files in one folder (but sockets go to a temporary one where its path is too long
for them). A SLURM, MariaDB or munge that already runs on the machine is neither used nor touched.

The nodes are pretended: they share the machine, their CPU count and memory are what the
configuration says, and their GPUs are harmless character devices, so that scheduling, accounting
and multi-node launches are real while limits on memory and CPUs are not enforced.

    with SlurmCluster(tmp_path / "cluster") as cluster:
        cluster.run(["snakemake", "--executor", "slurm", ...], check=True)

From the command line, `python tests/slurm/cluster.py [command ...]` runs one command in a cluster.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import json
import os
import pwd
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

CLUSTER_NAME = "testcluster"
ACCOUNT = "testaccount"
PARTITION = "main"

# Harmless devices that stand in for GPUs (SLURM wants one existing device file per GPU).
_PRETENDED_GPUS = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_DAEMONS = ["munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd"]
_CLIENTS = ["sbatch", "srun", "scancel", "squeue", "sinfo", "scontrol", "sacct", "sacctmgr"]
_MORE_CLIENTS = ["salloc", "sattach", "sshare", "sstat"]
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Linux limits the path of a Unix socket to 108 bytes; slurmd appends names of its own.
_MAX_SOCKET_PATH = 90
_STARTUP_SECONDS = 60.0


def _program(name: str) -> str | None:
    """Return the full path of a system program, also where sbin is not on PATH."""
    # PATH comes last: inside another test cluster it begins with that cluster's wrappers.
    return shutil.which(name, path=os.pathsep.join((*_SYSTEM_FOLDERS, os.environ.get("PATH", ""))))


def missing_requirements() -> str | None:
    """Say in one sentence why no SLURM can be started here; None where one can."""
    if not sys.platform.startswith("linux"):
        return "A test SLURM can be started on Linux only."
    if os.geteuid() != 0:
        return "A test SLURM needs root: slurmd and slurmctld start jobs on behalf of users."
    missing = [name for name in _DAEMONS + _CLIENTS if _program(name) is None]
    if missing:
        return (
            f"Programs for a test SLURM are missing ({', '.join(missing)}): "
            "run tests/system_packages.sh."
        )
    return None


def _user() -> str:
    # Not getpass.getuser(): USER may still name somebody else after sudo.
    return pwd.getpwuid(os.geteuid()).pw_name


def _free_ports(number: int) -> list[int]:
    """Pick TCP ports nobody listens on, below the range that the kernel lends to clients."""
    try:
        lowest_lent = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        lowest_lent = 32768
    upper = lowest_lent if lowest_lent > 12000 else 32768
    ports: list[int] = []
    candidates = random.SystemRandom().sample(range(10000, upper), k=min(upper - 10000, 500))
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == number:
            return ports
    raise RuntimeError(f"No {number} free TCP ports were found for the test SLURM.")


def _address() -> tuple[str, list[str]]:
    """Return the address all daemons use, and the settings that bind them to nothing else.

    SLURM can bind a daemon only to every interface or to what the machine's name leads to. Where
    that is no loopback address it has to be every interface, and munge's key keeps strangers out.
    """
    try:
        own = socket.gethostbyname(socket.gethostname())
    except OSError:
        own = ""
    if own.startswith("127."):
        return own, ["CommunicationParameters=NoInAddrAny,NoCtldInAddrAny"]
    return "127.0.0.1", []


def _tail(path: Path, lines: int = 25) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log was written)"


def _start_time(pid: int) -> str | None:
    """Return when a living process started (clock ticks since boot); it tells reused pids apart."""
    try:
        # The command's name, in brackets, may hold blanks: count the fields behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _environment_of(pid: int) -> dict[str, str]:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.partition("=")[::2] for entry in entries if "=" in entry)


def _command_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())


def _signal_and_wait(pids: Sequence[int], seconds: float) -> None:
    """End processes that are not children of ours: SIGTERM, then SIGKILL for what remains."""
    living = {pid: started for pid in pids if (started := _start_time(pid)) is not None}
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 2.0)):
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while living and time.monotonic() < deadline:
            living = {
                pid: started for pid, started in living.items() if _start_time(pid) == started
            }
            time.sleep(0.02)
        if not living:
            return


class SlurmCluster:
    """A running SLURM cluster of pretended nodes; use it as a context manager.

    folder: where everything lies; made if missing, kept at the end for its logs.
    nodes, cpus, gpus_per_node, memory_mb: the cluster's size; all but `nodes` are per node.
    default_minutes, max_minutes: the partition's default and highest time limit.
    """

    def __init__(
        self,
        folder: Path,
        nodes: int = 2,
        cpus: int = 2,
        gpus_per_node: int = 1,
        memory_mb: int = 64_000,
        default_minutes: int = 10,
        max_minutes: int = 7 * 24 * 60,
    ) -> None:
        if nodes < 1 or cpus < 1 or memory_mb < 1:
            raise ValueError("A cluster needs at least one node, one CPU and some memory.")
        if not 0 <= gpus_per_node <= len(_PRETENDED_GPUS):
            raise ValueError(f"gpus_per_node must be between 0 and {len(_PRETENDED_GPUS)}.")
        self.folder = Path(folder).resolve()
        if not re.fullmatch(r"[\w./+-]+", str(self.folder), flags=re.ASCII):
            # slurm.conf and mariadb-install-db know no way to quote them.
            raise ValueError(f"Blanks or special characters in the cluster's folder {self.folder}.")
        self.cpus = cpus
        self.gpus_per_node = gpus_per_node
        self.memory_mb = memory_mb
        self.default_minutes = default_minutes
        self.max_minutes = max_minutes
        self.node_names = tuple(f"n{number}" for number in range(1, nodes + 1))
        self._configuration = self.folder / "etc" / "slurm.conf"
        self._logs = self.folder / "log"
        self._record = self.folder / "processes.json"
        self._run_folder = self.folder / "run"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._active = False
        self._owner = 0

    # ------------------------------------------------------------------ the user's side

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which SLURM's programs, and snakemake, talk to this cluster.

        PATH begins with wrappers of the client programs that set SLURM_CONF themselves, because
        Snakemake's SLURM job step removes every SLURM_* variable before it calls srun.
        """
        path = os.environ.get("PATH") or os.defpath
        return {
            "SLURM_CONF": str(self._configuration),
            "PATH": os.pathsep.join((str(self.folder / "bin"), path)),
        }

    def full_environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return this process's environment turned to this cluster.

        Variables of another SLURM are left out, which matters where the tests run inside a job.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLURM_", "SLURMD_", "SBATCH_", "SRUN_", "SQUEUE_", "SACCT_"))
        }
        return {**inherited, **self.environment, **(extra or {})}

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        check: bool = False,
        timeout: float | None = None,
        cwd: Path | None = None,
        extra_environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the cluster's environment and return its captured output."""
        environment = self.full_environment(extra_environment)
        # Popen would search this process's PATH, which lacks the wrappers.
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        return subprocess.run(
            [program, *command[1:]],
            env=environment,
            cwd=cwd,
            check=check,
            timeout=timeout,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def node_states(self) -> dict[str, str]:
        """Return what sinfo calls the state of each node, such as idle, allocated or down."""
        listing = self.run(["sinfo", "-h", "-N", "-o", "%N %T"], timeout=30).stdout
        return {
            words[0]: words[1] for line in listing.splitlines() if len(words := line.split()) > 1
        }

    def fail_node(self, name: str) -> None:
        """Let a node crash: its slurmd and its jobs' processes vanish, and it is marked down.

        SLURM ends the node's jobs as NODE_FAIL; those submitted without --no-requeue then wait
        in the queue again, for about two minutes before they may start.
        """
        self._check_node(name)
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()
            self._write_record()
        # Down before its processes go: otherwise their ends would be reported as plain failures.
        self._scontrol("update", f"NodeName={name}", "State=DOWN", "Reason=test")
        _signal_and_wait([pid for pid, node in self._job_processes() if node == name], 0.0)

    def restore_node(self, name: str, seconds: float = 30.0) -> None:
        """Start a failed node again and wait until it is idle."""
        self._check_node(name)
        if name not in self._processes:
            self._start_slurmd(name)
        state = ""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._check_alive(name)
            state = self.node_states().get(name, "")
            if state in ("idle", "mixed", "allocated"):
                return
            if state.startswith("down") and not state.endswith("*"):
                self._scontrol("update", f"NodeName={name}", "State=RESUME")
            time.sleep(0.2)
        raise RuntimeError(
            f"Node {name} did not come back within {seconds:.0f} s (its state is '{state}'); "
            f"the end of its log:\n{_tail(self._logs / f'slurmd.{name}.log')}"
        )

    def __enter__(self) -> SlurmCluster:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------ start and end

    def start(self) -> None:
        """Start all daemons and wait until every node is idle; on any failure end them again."""
        if self._active:
            raise RuntimeError("This cluster runs already.")
        if reason := missing_requirements():
            raise RuntimeError(reason)
        self._end_leftovers()
        self._active = True
        self._owner = os.getpid()
        atexit.register(self.stop)
        try:
            self._bring_up()
        except BaseException:  # KeyboardInterrupt too: nothing may stay behind
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel all jobs and end the processes this cluster started; safe to call again."""
        if (
            not self._active or os.getpid() != self._owner
        ):  # a forked copy must not end the original
            return
        atexit.unregister(self.stop)
        # A second Ctrl-C must not leave half of the daemons behind. Only the main thread may set
        # handlers; elsewhere signals do not interrupt us anyway.
        previous = None
        with contextlib.suppress(ValueError):
            previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._cancel_jobs()
            # Front to back, so that each daemon can still reach the ones it reports to.
            for names in (self.node_names, ["slurmctld"], ["slurmdbd"], ["mariadbd"], ["munged"]):
                self._end_daemons(names)
            _signal_and_wait([pid for pid, _ in self._job_processes()], 1.0)
        finally:
            self._end_daemons(list(self._processes))
            self._active = False
            self._record.unlink(missing_ok=True)
            if self._run_folder != self.folder / "run":
                shutil.rmtree(self._run_folder, ignore_errors=True)
            if previous is not None:
                signal.signal(signal.SIGINT, previous)

    def _bring_up(self) -> None:
        self._make_folders()
        self._write_configuration()
        self._start_munged()
        self._start_mariadbd()
        self._start(
            "slurmdbd", [self._path_of("slurmdbd"), "-D"], MYSQL_UNIX_PORT=self._database_socket
        )
        self._add_account()
        self._start("slurmctld", [self._path_of("slurmctld"), "-D", "-c"])
        for name in self.node_names:
            self._start_slurmd(name)
        self._wait("slurmctld", self._busy_nodes, watched=("slurmdbd", *self.node_names))

    def _make_folders(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # State of an earlier cluster in the same folder would confuse this one.
        for name in ("etc", "log", "run", "state", "database", "bin"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        # The configuration and the wrappers must be readable by jobs of any user; the database and
        # the key are nobody else's business.
        for name, mode in (("etc", 0o755), ("log", 0o755), ("bin", 0o755), ("state", 0o700)):
            (self.folder / name).mkdir(mode=mode)
        self._run_folder = self.folder / "run"
        if len(str(self._run_folder / "munge.socket.lock")) > _MAX_SOCKET_PATH:
            self._run_folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        else:
            self._run_folder.mkdir()
        self._run_folder.chmod(0o755)
        (self.folder / "database").mkdir(mode=0o700)

    @property
    def _munge_socket(self) -> str:
        return str(self._run_folder / "munge.socket")

    @property
    def _database_socket(self) -> str:
        return str(self._run_folder / "mariadb.socket")

    def _write_configuration(self) -> None:
        database_port, controller_port, *node_ports = _free_ports(2 + len(self.node_names))
        address, binding = _address()
        user = _user()
        state = self.folder / "state"
        gres = f" Gres=gpu:{self.gpus_per_node}" if self.gpus_per_node else ""
        lines = [
            f"ClusterName={CLUSTER_NAME}",
            f"SlurmctldHost=localhost({address})",
            *binding,
            f"SlurmctldPort={controller_port}",
            f"SlurmUser={user}",
            f"SlurmdUser={user}",
            "AuthType=auth/munge",
            f"AuthInfo=socket={self._munge_socket}",
            f"StateSaveLocation={state}",
            f"SlurmdSpoolDir={self._run_folder}/%n",
            f"SlurmctldPidFile={self._run_folder}/slurmctld.pid",
            f"SlurmdPidFile={self._run_folder}/slurmd.%n.pid",
            f"SlurmctldLogFile={self._logs}/slurmctld.log",
            f"SlurmdLogFile={self._logs}/slurmd.%n.log",
            # No cgroups: they may be missing or read-only in containers.
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "JobAcctGatherType=jobacct_gather/linux",
            "MpiDefault=none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_CPU_Memory",
            # Believe the CPUs and the memory written below, whatever the machine has.
            "SlurmdParameters=config_overrides",
            "ReturnToService=2",
            # The accounting database.
            "AccountingStorageType=accounting_storage/slurmdbd",
            f"AccountingStorageHost={address}",
            f"AccountingStoragePort={database_port}",
            f"AccountingStoragePass={self._munge_socket}",
            "AccountingStorageEnforce=associations",
            # Quick scheduling: the tests wait for it (the defaults save work on large clusters).
            "SchedulerType=sched/backfill",
            "SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=10000,"
            "bf_interval=2",
            "KillWait=2",
            "CompleteWait=0",
            "MessageTimeout=20",
            # A loaded machine must not make nodes appear lost.
            "SlurmdTimeout=120",
            # squeue shows finished jobs this long; status queries through it rely on that.
            "MinJobAge=300",
            f"DefMemPerCPU={max(1, self.memory_mb // (4 * self.cpus))}",
        ]
        if self.gpus_per_node:
            lines += ["GresTypes=gpu", "AccountingStorageTRES=gres/gpu"]
        for name, port in zip(self.node_names, node_ports, strict=True):
            lines.append(
                f"NodeName={name} NodeHostname=localhost NodeAddr={address} Port={port} "
                f"CPUs={self.cpus} RealMemory={self.memory_mb}{gres} State=UNKNOWN"
            )
        lines.append(
            f"PartitionName={PARTITION} Nodes={','.join(self.node_names)} Default=YES State=UP "
            f"DefaultTime={self.default_minutes} MaxTime={self.max_minutes}"
        )
        self._write("etc/slurm.conf", lines)
        devices = _PRETENDED_GPUS[: self.gpus_per_node]
        self._write("etc/gres.conf", [f"Name=gpu File={device}" for device in devices])
        version = self._slurm_version()
        # Since 23.11 slurmd looks for cgroups even where no plugin uses them.
        self._write("etc/cgroup.conf", ["CgroupPlugin=disabled"] if version >= (23, 11) else [])
        self._write(
            "etc/slurmdbd.conf",
            [
                "AuthType=auth/munge",
                f"AuthInfo=socket={self._munge_socket}",
                "DbdHost=localhost",
                f"DbdAddr={address}",
                *binding,
                f"DbdPort={database_port}",
                f"SlurmUser={user}",
                f"LogFile={self._logs}/slurmdbd.log",
                f"PidFile={self._run_folder}/slurmdbd.pid",
                "StorageType=accounting_storage/mysql",
                "StorageHost=localhost",  # a Unix socket, which MYSQL_UNIX_PORT names
                "StorageUser=root",
                "StorageLoc=slurm_accounting",
            ],
            mode=0o600,  # slurmdbd insists
        )
        for client in _CLIENTS + _MORE_CLIENTS:
            if (program := _program(client)) is not None:
                wrapper = [
                    "#!/bin/sh",
                    f"SLURM_CONF={shlex.quote(str(self._configuration))}",
                    "export SLURM_CONF",
                    f'exec {shlex.quote(program)} "$@"',
                ]
                self._write(f"bin/{client}", wrapper, mode=0o755)

    def _write(self, name: str, lines: Sequence[str], mode: int = 0o644) -> None:
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        path.chmod(mode)

    def _slurm_version(self) -> tuple[int, int]:
        shown = subprocess.run(
            [self._path_of("slurmctld"), "-V"], capture_output=True, text=True, check=False
        ).stdout
        numbers = re.search(r"(\d+)\.(\d+)", shown)
        return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)

    # ------------------------------------------------------------------ the single daemons

    def _start_munged(self) -> None:
        key = self.folder / "state" / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        command = [
            self._path_of("munged"),
            "--foreground",
            "--force",  # accept a folder below a world-writable one, such as /tmp
            f"--key-file={key}",
            f"--socket={self._munge_socket}",
            f"--pid-file={self._run_folder}/munged.pid",
            f"--seed-file={self.folder}/state/munge.seed",
            f"--log-file={self._logs}/munged.log",
            "--origin=127.0.0.1",
        ]
        self._start("munged", command)
        self._wait("munged", self._no_munge)

    def _start_mariadbd(self) -> None:
        # Throwaway data: nothing has to survive a crash, so nothing is flushed or written twice.
        small = [
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=4M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0",
            "--innodb-use-native-aio=0",
        ]
        data = [f"--datadir={self.folder}/database", f"--user={_user()}"]
        log = self._logs / "mariadb-install-db.log"
        with log.open("wb") as output:
            making = subprocess.Popen(
                [
                    self._path_of("mariadb-install-db"),
                    "--no-defaults",
                    *data,
                    "--skip-test-db",
                    "--skip-name-resolve",
                    "--auth-root-authentication-method=normal",
                    *small,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = making.wait(timeout=_STARTUP_SECONDS)
            except BaseException as error:
                # It is a shell script: end what it started as well.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(making.pid, signal.SIGKILL)
                making.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                status = -int(signal.SIGKILL)
        if status:
            raise RuntimeError(
                f"mariadb-install-db ended with status {status}; "
                f"the end of its log {log}:\n{_tail(log)}"
            )
        command = [
            self._path_of("mariadbd"),
            "--no-defaults",  # not the machine's own service's configuration
            *data,
            f"--socket={self._database_socket}",
            f"--pid-file={self._run_folder}/mariadbd.pid",
            "--skip-networking",
            "--skip-log-bin",
            "--performance-schema=OFF",
            "--innodb-lock-wait-timeout=900",  # what slurmdbd asks for
            "--innodb-fast-shutdown=2",
            *small,
        ]
        self._start("mariadbd", command)
        self._wait("mariadbd", self._no_database)

    def _add_account(self) -> None:
        """Make the cluster, an account and the user known to the accounting database."""
        self._wait("slurmdbd", self._no_accounting)
        user = _user()
        for words in (
            ["cluster", CLUSTER_NAME],
            ["account", ACCOUNT, f"Cluster={CLUSTER_NAME}"],
            ["user", user, f"Account={ACCOUNT}", f"DefaultAccount={ACCOUNT}"],
        ):
            added = self.run(["sacctmgr", "-i", "add", *words], timeout=30)
            if added.returncode and "Nothing new added" not in added.stdout + added.stderr:
                raise RuntimeError(
                    f"'sacctmgr add {' '.join(words)}' failed: {added.stdout}{added.stderr}\n"
                    f"The end of slurmdbd's log:\n{_tail(self._logs / 'slurmdbd.log')}"
                )

    def _start_slurmd(self, name: str) -> None:
        self._start(name, [self._path_of("slurmd"), "-D", "-N", name])

    # ------------------------------------------------------------------ processes

    @staticmethod
    def _path_of(name: str) -> str:
        program = _program(name)
        if program is None:
            raise RuntimeError(f"The program {name} is missing: run tests/system_packages.sh.")
        return program

    def _log_of(self, name: str) -> Path:
        own = self._logs / (f"slurmd.{name}.log" if name in self.node_names else f"{name}.log")
        # What a daemon says before it has opened its log goes to its standard output.
        return own if own.exists() and own.stat().st_size else self._logs / f"{name}.out"

    def _start(self, name: str, command: Sequence[str], **variables: str) -> None:
        """Start a daemon in the foreground, as our child: its pid is certain, without pid files."""
        # Should this process be killed outright, the kernel ends the daemons. More exactly it does
        # so when the calling thread ends: start a cluster in a thread that outlives it.
        guard = _program("setpriv")
        prefix = [guard, "--pdeathsig", "TERM"] if guard else []
        with (self._logs / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [*prefix, *command],
                env=self.full_environment(variables),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and we end them in order
            )
        self._write_record()

    def _write_record(self) -> None:
        """Note the daemons' pids for a later start in this folder, should this one be killed."""
        record = {
            name: {"pid": process.pid, "started": _start_time(process.pid)}
            for name, process in self._processes.items()
        }
        self._record.write_text(json.dumps(record))

    def _end_leftovers(self) -> None:
        """End daemons that a killed predecessor left behind in this folder."""
        try:
            record = json.loads(self._record.read_text())
            noted = [(int(entry["pid"]), entry["started"]) for entry in record.values()]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            noted = []
        # A pid alone proves nothing, it may have been reused: compare the start time as well.
        _signal_and_wait([pid for pid, start in noted if start and _start_time(pid) == start], 10.0)
        _signal_and_wait([pid for pid, _ in self._job_processes()], 1.0)
        self._record.unlink(missing_ok=True)

    def _job_processes(self) -> Iterator[tuple[int, str]]:
        """Yield the living processes of this cluster's jobs, each with its node's name.

        They are nobody's children (slurmd lets go of its step daemons), but they can be told from
        all others: a step daemon holds its slurmd's log open, and what it starts inherits the
        variables that name this configuration and the node.
        """
        logs = {str(self._logs / f"slurmd.{name}.log"): name for name in self.node_names}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            pid = int(entry.name)
            if _command_name(pid) == "slurmstepd":
                files = {target.removesuffix(" (deleted)") for target in _open_files(pid)}
                yield from ((pid, name) for log, name in logs.items() if log in files)
                continue
            variables = _environment_of(pid)
            node = variables.get("SLURMD_NODENAME", "")
            if variables.get("SLURM_CONF") == str(self._configuration) and node in self.node_names:
                yield pid, node

    def _check_alive(self, name: str) -> None:
        process = self._processes.get(name)
        if process is None or process.poll() is None:
            return
        log = self._log_of(name)
        raise RuntimeError(
            f"The test SLURM's {name} ended with status {process.returncode}; "
            f"the end of its log {log}:\n{_tail(log)}"
        )

    def _wait(
        self, name: str, waits_for: Callable[[], str | None], watched: Sequence[str] = ()
    ) -> None:
        """Wait for a daemon; fail with its log when it, or a watched one, dies or takes too long.

        waits_for: says what is still missing, None once the daemon is ready.
        """
        deadline = time.monotonic() + _STARTUP_SECONDS
        while True:
            for each in (name, *watched):
                self._check_alive(each)
            if (missing := waits_for()) is None:
                return
            if time.monotonic() > deadline:
                log = self._log_of(name)
                raise RuntimeError(
                    f"The test SLURM's {name} was not ready within {_STARTUP_SECONDS:.0f} s "
                    f"({missing}); the end of its log {log}:\n{_tail(log)}"
                )
            time.sleep(0.05)

    def _busy_nodes(self) -> str | None:
        states = self.node_states()
        if all(states.get(name) == "idle" for name in self.node_names):
            return None
        return f"sinfo shows the nodes {states}"

    def _no_accounting(self) -> str | None:
        answer = self.run(["sacctmgr", "-n", "list", "cluster"], timeout=30)
        return (answer.stderr.strip() or "sacctmgr fails") if answer.returncode else None

    def _no_database(self) -> str | None:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self._database_socket)
            except OSError as error:
                return f"its socket: {error}"
        return None

    def _no_munge(self) -> str | None:
        return None if Path(self._munge_socket).exists() else "its socket is missing"

    def _check_node(self, name: str) -> None:
        if name not in self.node_names:
            raise ValueError(f"No node {name}; the nodes are {', '.join(self.node_names)}.")
        if not self._active:
            raise RuntimeError("This cluster does not run.")

    def _scontrol(self, *words: str) -> None:
        done = self.run(["scontrol", *words], timeout=30)
        if done.returncode:
            raise RuntimeError(f"'scontrol {' '.join(words)}' failed: {done.stdout}{done.stderr}")

    def _cancel_jobs(self) -> None:
        """Cancel what is queued or runs, and give it a moment to end; never fails."""
        controller = self._processes.get("slurmctld")
        if controller is None or controller.poll() is not None:
            return
        try:
            listing = self.run(["squeue", "-h", "-o", "%i"], timeout=10)
            if listing.returncode or not listing.stdout.split():
                return
            self.run(["scancel", f"--user={_user()}", "--full"], timeout=10)
            deadline = time.monotonic() + 6.0
            while time.monotonic() < deadline:
                if not self.run(["squeue", "-h", "-o", "%i"], timeout=10).stdout.split():
                    return
                time.sleep(0.1)
        except (OSError, subprocess.SubprocessError):
            pass  # the controller is in no state to answer; its processes are ended below

    def _end_daemons(self, names: Sequence[str]) -> None:
        """End daemons of ours: SIGTERM to all, wait for all, SIGKILL for those that linger."""
        ending = [process for name in names if (process := self._processes.pop(name, None))]
        for process in ending:
            process.terminate()
        deadline = time.monotonic() + 10.0
        for process in ending:
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command in a fresh cluster and return its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, help="where to keep it (default: a temporary folder)"
    )
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cpus", type=int, default=2, help="CPUs per node")
    parser.add_argument("--gpus-per-node", type=int, default=1)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="default: sinfo")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command

    if reason := missing_requirements():
        print(reason, file=sys.stderr)
        return 2
    # End in order on a request to end, as on Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="slurm-test-"))
    begin = time.monotonic()
    try:
        with SlurmCluster(folder, options.nodes, options.cpus, options.gpus_per_node) as cluster:
            print(f"cluster up after {time.monotonic() - begin:.1f} s in {folder}", file=sys.stderr)
            environment = cluster.full_environment()
            words = command or ["sinfo", "-N", "-l"]
            program = shutil.which(words[0], path=environment["PATH"]) or words[0]
            try:
                status = subprocess.run([program, *words[1:]], env=environment, check=False)
                return status.returncode if status.returncode >= 0 else 128 - status.returncode
            except OSError as error:
                print(f"{words[0]}: {error.strerror}", file=sys.stderr)
                return 127
            finally:
                begin = time.monotonic()
    except KeyboardInterrupt:
        return 130
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
        print(f"cluster down after {time.monotonic() - begin:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
