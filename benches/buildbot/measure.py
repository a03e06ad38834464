#!/usr/bin/env python3
"""What a farm costs on a Buildbot master: rendered by farmout, beside the same builders in a configuration written by hand.

Needs nothing but the standard library; `--buildbot` is the program of that name in an environment with buildbot and buildbot-www 4.3.
Everything is made in a directory that is removed afterwards. Both sides have the same builders, workers and schedulers, and
as many steps for each builder; each is measured right after the other. On a busy machine compare the processor's times.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

HERE = Path(__file__).resolve().parent
VERSIONS = ["12", "13", "14", "15", "16"]
MB = 1 << 20

# Nobody polls, so that the network is not measured; a poller for each repository costs about nothing.
OURS = """\
from farm import configure
c = BuildmasterConfig = {}
configure(c, poll=None)
"""

BOTH = """
import os
c["buildbotNetUsageData"] = None
c["db"] = {"db_url": os.environ.get("BUILDBOT_DB_URL", "sqlite:///state.sqlite")}
c["protocols"] = {"pb": {"port": "tcp:0:interface=127.0.0.1"}}
c["www"] = {"port": "tcp:0:interface=127.0.0.1"}
"""


@dataclass(frozen=True)
class Size:
    """Of a farm: each of its builds has a builder for each of five PostgreSQL versions."""

    builders: int
    workers: int
    versions_each: float

    @classmethod
    def parse(cls, text: str) -> Size:
        match = re.fullmatch(r"(\d+)x(\d+)(?::([\d.]+))?", text)
        if match is None or int(match[1]) % len(VERSIONS) or float(match[3] or 1) < 1:
            raise argparse.ArgumentTypeError(
                f"{text} is no BUILDERSxWORKERS[:VERSIONS], where BUILDERS is a multiple of {len(VERSIONS)} and VERSIONS is 1 or more"
            )
        return cls(int(match[1]), int(match[2]), float(match[3] or 2.5))

    @property
    def builds(self) -> int:
        return self.builders // len(VERSIONS)

    def versions_of(self, index: int) -> list[str]:
        """As in hand-written.cfg."""
        number = int((index + 1) * self.versions_each) - int(index * self.versions_each)
        return [VERSIONS[(index + 2 * step) % len(VERSIONS)] for step in range(number)]

    def __str__(self) -> str:
        return f"{self.builders:,} builders × {self.workers:,} workers"


def write_farm(farm: Path, size: Size, more: int = 0) -> None:
    """The manifest and the slaves of a farm."""
    (farm / "buildouts").mkdir(parents=True, exist_ok=True)
    builds = [(f"project-{index:04}", index // 10, "postgresql") for index in range(size.builds)]
    builds += [(f"one-more-{index}", 0, "postgresql == 15") for index in range(more)]
    manifest = "".join(
        f"[{name}]\n"
        f"buildout = git https://git.example.org/{name} main buildout.cfg\n"
        f"watch = git https://git.example.org/shared-{repository:03} main\n"
        f"auto-watch = false\n"
        f"build-for = {versions}\n\n"
        for name, repository, versions in builds
    )
    (farm / "buildouts/MANIFEST.cfg").write_text(manifest)
    slaves = "[DEFAULT]\nmax_builds = 2\n\n"
    for index in range(size.workers):
        slaves += f"[worker-{index:03}]\npassword = generated-{index}\nrack = r{index % 40}\ncapability =\n"
        slaves += "".join(
            f"    postgresql {version} port={5400 + int(version)} bin=/usr/lib/postgresql/{version}/bin\n"
            for version in size.versions_of(index)
        )
    (farm / "slaves.cfg").write_text(slaves)
    (farm / "slaves.cfg").chmod(0o600)


@dataclass
class Spent:
    """What a process took."""

    wall: float
    processor: float
    memory: int


def run(command: list[str], **options: object) -> Spent:
    """Runs a command to its end; its output is shown if it fails."""
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)  # type: ignore[call-overload]
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            sys.stderr.buffer.write(output.read())
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def fastest(times: int, command: list[str]) -> Spent:
    return min((run(command) for _ in range(times)), key=lambda spent: spent.processor)


class Master:
    """A master's directory, and the process while it runs."""

    def __init__(self, directory: Path, program: str, database: str | None) -> None:
        self.directory, self.program = directory, program
        self.environment = {**os.environ, **({"BUILDBOT_DB_URL": database} if database else {})}

    def buildbot(self, *arguments: str) -> Spent:
        return run([self.program, *arguments], env=self.environment)

    def create(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        url = self.environment.get("BUILDBOT_DB_URL", "sqlite:///state.sqlite")
        self.buildbot("create-master", "-r", f"--db={url}", str(self.directory))

    def lines(self) -> str:
        try:
            return (self.directory / "twistd.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_for(self, sign: str, after: int, limit: float) -> int:
        """The length of the log once it has the sign."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            log = self.lines()
            if sign in log[after:]:
                return len(log)
            if self.process.poll() is not None or "Configuration Errors" in log[after:] or "aborted" in log[after:]:
                break
            time.sleep(0.05)
        raise SystemExit(f"{self.directory}: no “{sign}” within {limit:.0f} s:\n{self.lines()[-3000:]}")

    def processor(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, key: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{key}:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]

    @contextlib.contextmanager
    def running(self, limit: float) -> Iterator[Spent]:
        """While it runs; what starting it took."""
        after, begun = len(self.lines()), time.perf_counter()
        command = [self.program, "start", "--nodaemon", str(self.directory)]
        with open(os.devnull, "wb") as nowhere:
            self.process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=self.environment)
        try:
            self.wait_for("BuildMaster is running", after, limit)
            yield Spent(time.perf_counter() - begun, self.processor(), self.memory("VmRSS"))
        finally:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def reconfigure(self, limit: float) -> Spent:
        after, begun, before = len(self.lines()), time.perf_counter(), self.processor()
        self.process.send_signal(signal.SIGHUP)
        self.wait_for("configuration update complete", after, limit)
        return Spent(time.perf_counter() - begun, self.processor() - before, self.memory("VmRSS"))


@dataclass
class Side:
    """One of the two configurations: how it is made, and how it gets one builder more."""

    name: str
    make: Callable[[Path, int], None]


class Table:
    """Rows for both sides, printed as soon as they are there."""

    def __init__(self) -> None:
        print("| | by hand | farmout | farmout / by hand |\n| --- | ---: | ---: | ---: |", flush=True)

    def row(self, name: str, hand: float, ours: float, show: Callable[[float], str]) -> None:
        print(f"| {name} | {show(hand)} | {show(ours)} | {ours / hand if hand else 0:.2f} |", flush=True)


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def megabytes(value: float) -> str:
    return f"{value / MB:,.0f} MB"


class Measuring:
    """One size."""

    def __init__(self, size: Size, work: Path, options: argparse.Namespace) -> None:
        self.size, self.work, self.options = size, work, options
        self.farm = work / "farm"
        write_farm(self.farm, size)

    def farmout(self, *arguments: str) -> list[str]:
        return [self.options.farmout, *arguments, "--farm", str(self.farm)]

    def make_ours(self, directory: Path, more: int) -> None:
        write_farm(self.farm, self.size, more)
        directory.mkdir(parents=True, exist_ok=True)
        run(self.farmout("render", "buildbot", "-o", str(directory)))
        (directory / "master.cfg").write_text(OURS + BOTH)

    def make_hand(self, directory: Path, more: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        text = (HERE / "hand-written.cfg").read_text()
        numbers = {
            "BUILDS": self.size.builds,
            "WORKERS": self.size.workers,
            "VERSIONS_EACH": self.size.versions_each,
            "STEPS": self.steps,
            "MORE": more,
        }
        for name, value in numbers.items():
            text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.M)
        secrets = directory / "secrets"
        secrets.mkdir(mode=0o700, exist_ok=True)
        (secrets / "worker-password").write_text("secret")
        (secrets / "worker-password").chmod(0o600)
        (directory / "master.cfg").write_text(text + BOTH)

    @property
    def steps(self) -> int:
        """Of a builder, as farmout renders it, with the three around those of its plan."""
        data = json.loads((self.work / "farmout/farm.json").read_text())
        return 3 + max(len(procedure["steps"]) for procedure in data["procedures"])

    def measure(self) -> None:
        print(f"\n## {self.size}\n", flush=True)
        directory = self.work / "farmout"
        self.make_ours(directory, 0)
        compile_ = fastest(5, self.farmout("compile"))
        render = fastest(5, self.farmout("render", "buildbot", "-o", str(directory)))
        size = (directory / "farm.json").stat().st_size
        print(
            f"`farmout compile` {compile_.wall:.3f} s (processor {compile_.processor:.3f} s), {megabytes(compile_.memory)}; "
            f"`farmout render buildbot` {render.wall:.3f} s (processor {render.processor:.3f} s), {megabytes(render.memory)}: "
            f"{render.processor / compile_.processor:.1f} times. "
            f"farm.json: {size / MB:.1f} MB. {self.steps} steps a builder.\n",
            flush=True,
        )
        hand = Side("hand", self.make_hand)
        ours = Side("farmout", self.make_ours)
        table = Table()
        checks = {side.name: self.check(side) for side in (hand, ours)}
        table.row("`checkconfig`", checks["hand"].wall, checks["farmout"].wall, seconds)
        table.row("`checkconfig`, processor", checks["hand"].processor, checks["farmout"].processor, seconds)
        table.row("`checkconfig`, memory", checks["hand"].memory, checks["farmout"].memory, megabytes)
        if self.options.start:
            starts = {side.name: self.start(side) for side in (hand, ours)}
            for row, (name, show) in enumerate(ROWS):
                table.row(name, starts["hand"][row], starts["farmout"][row], show)

    def check(self, side: Side) -> Spent:
        directory = self.work / side.name
        side.make(directory, 0)
        command = [self.options.buildbot, "checkconfig", str(directory)]
        return fastest(self.options.times, command)

    def start(self, side: Side) -> list[float]:
        directory = self.work / side.name
        database = self.options.database and self.options.database.replace("NAME", f"{side.name}_{self.size.builders}_{self.size.workers}")
        master = Master(directory, self.options.buildbot, database)
        master.create()
        side.make(directory, 0)
        with master.running(self.options.limit) as first:
            pass
        with master.running(self.options.limit) as again:
            same = master.reconfigure(self.options.limit)
            side.make(directory, 1)
            more = master.reconfigure(self.options.limit)
            peak = master.memory("VmHWM")
        result = [first.wall, first.processor, first.memory, again.wall, again.memory]
        return result + [same.wall, more.wall, more.processor, more.memory, peak]


ROWS: list[tuple[str, Callable[[float], str]]] = [
    ("first start", seconds),
    ("first start, processor", seconds),
    ("memory after the first start", megabytes),
    ("start again", seconds),
    ("memory after that", megabytes),
    ("reconfig, nothing changed", seconds),
    ("reconfig with one more builder", seconds),
    ("that, processor", seconds),
    ("memory after it", megabytes),
    ("the most memory held", megabytes),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=Size.parse, metavar="BUILDERSxWORKERS[:VERSIONS]",
                        help="VERSIONS is how many of five PostgreSQL versions a worker has on the average (2.5)")
    parser.add_argument("--farmout", default=shutil.which("farmout"), help="the farmout to measure, a release build")
    parser.add_argument("--buildbot", default=shutil.which("buildbot"), help="the program of that name")
    parser.add_argument("--database", help="SQLAlchemy's URL of an empty database; NAME in it stands for one that you made for "
                        "each side and size, such as farmout_1000_100 and hand_1000_100. Without: SQLite")
    parser.add_argument("--no-start", dest="start", action="store_false", help="measure rendering and checkconfig only")
    parser.add_argument("--times", type=int, default=3, help="how often checkconfig is run; the fastest counts")
    parser.add_argument("--limit", type=float, default=1800, help="seconds that a start or a reconfig may take")
    options = parser.parse_args()
    if options.farmout is None:
        parser.error("no farmout on PATH: give --farmout")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for size in options.sizes or [Size.parse(text) for text in ("100x100", "1000x100", "5000x100", "5000x500:1")]:
        with tempfile.TemporaryDirectory(prefix="farmout-buildbot-") as work:
            Measuring(size, Path(work), options).measure()


if __name__ == "__main__":
    main()
