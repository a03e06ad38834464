#!/usr/bin/env python3
"""Two Buildbot masters for one farm: on one PostgreSQL database, with one crossbar router between them, for real.

    python3 -m venv /srv/buildbot
    /srv/buildbot/bin/pip install buildbot==4.3.0 buildbot-www==4.3.0 buildbot-worker==4.3.0 psycopg2-binary
    python3 -m venv /srv/crossbar
    /srv/crossbar/bin/pip install crossbar==26.10.1
    benches/buildbot/masters.py --farmout target/release/farmout --buildbot /srv/buildbot/bin --crossbar /srv/crossbar/bin

First a single master moves from SQLite to PostgreSQL. Then the sample buildout of this repository is two builds, one for each of two
masters: a change that is told to the first master starts the build of each; the web pages of the first start, show and stop
builds of the second; a master that is killed goes on with what it had; without the router nothing goes on. Everything is in a
temporary directory, on the loopback interface, and ended at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

MANIFEST = """\
[DEFAULT]
tree-stable-timer = 2
post-buildout-steps = install-modules-test

[crm]
buildout = standalone demo.cfg with=demo
watch = git https://git.example.org/demo main

[shop]
inherit = crm
"""
SLAVES = """\
[atlas]
password = of-atlas
max_builds = 2
capability = postgresql {version} bin={bin} cluster=ephemeral
    python {python} bin={program}
"""


class Failed(Exception):
    """Something is not as it should be."""


class Account:
    """Who runs everything: the one who runs this, or somebody without rights if that is root."""

    def __init__(self, name: str | None) -> None:
        self.entry = pwd.getpwnam(name) if name else pwd.getpwuid(os.getuid())
        if self.entry.pw_uid == 0:
            raise SystemExit("PostgreSQL does not run as root: give --user NAME, an account without rights")

    def options(self, directory: Path) -> dict[str, Any]:
        """For a process that is this account's."""
        own = os.getuid() == self.entry.pw_uid
        environment = {**os.environ, "HOME": str(directory)}
        return {"env": environment, **({} if own else {"user": self.entry.pw_uid, "group": self.entry.pw_gid, "extra_groups": []})}

    def give(self, directory: Path) -> None:
        if os.getuid() != self.entry.pw_uid:
            os.chown(directory, self.entry.pw_uid, self.entry.pw_gid)


class Scene:
    """The directory in which everything is, and what runs in it."""

    def __init__(self, directory: Path, options: argparse.Namespace) -> None:
        self.directory, self.options = directory, options
        self.account = Account(options.user)
        self.account.give(directory)
        self.stack = contextlib.ExitStack()
        self.told = 0
        port = options.port
        self.database, self.router, self.web = port, port + 1, port + 2
        self.workers = {1: port + 3, 2: port + 4}

    # Commands.

    def run(self, *command: str | Path, shown: bool = True, fails: bool = False) -> str:
        """A command, shown with what it says."""
        words = [str(word) for word in command]
        done = subprocess.run(
            words, cwd=self.directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            **self.account.options(self.directory),
        )
        said = done.stdout.replace(f"{self.directory}/", "")
        if shown:
            short = [Path(words[0]).name, *(word.replace(f"{self.directory}/", "") for word in words[1:])]
            print("$", " ".join(short), flush=True)
            print(said, end="", flush=True)
        if (done.returncode != 0) != fails:
            raise Failed(f"{' '.join(words)} ended with {done.returncode}\n{said}")
        return said

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file of the account's."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        for made in (file, *file.parents):
            if made == self.directory:
                break
            self.account.give(made)

    def buildbot(self, *arguments: str | Path, **options: Any) -> str:
        return self.run(self.options.buildbot / "buildbot", *arguments, **options)

    # What runs.

    def start_database(self) -> None:
        programs, data = self.options.postgresql, self.directory / "database"
        self.run(programs / "initdb", "-D", data, "-U", "buildbot", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", shown=False)
        settings = f"-c listen_addresses=127.0.0.1 -c port={self.database} -c unix_socket_directories={self.directory}"
        pg_ctl = [programs / "pg_ctl", "-D", data, "-w"]
        self.run(*pg_ctl, "-l", self.directory / "database.log", "-o", settings, "start", shown=False)
        self.stack.callback(self.run, *pg_ctl, "-m", "immediate", "stop", shown=False)
        for name in ("one", "two"):
            self.run(programs / "createdb", "-h", "127.0.0.1", "-p", str(self.database), "-U", "buildbot", name, shown=False)

    def start_router(self) -> None:
        configuration = (HERE / "crossbar.json").read_text().replace("8080", str(self.router))
        self.write("router/.crossbar/config.json", configuration)
        log = (self.directory / "router.log").open("ab")
        self.crossbar = subprocess.Popen(
            [self.options.crossbar / "crossbar", "start"], cwd=self.directory / "router", stdout=log, stderr=log,
            start_new_session=True, **self.account.options(self.directory),
        )
        self.stack.callback(self.stop_router)
        wait_for("the router", 60, lambda: "NODE_BOOT_COMPLETE" in (self.directory / "router.log").read_text())

    def stop_router(self) -> None:
        if self.crossbar.poll() is None:
            self.crossbar.send_signal(signal.SIGTERM)
            self.crossbar.wait(30)
        (self.directory / "router.log").unlink(missing_ok=True)

    def edit(self, master: str, **changes: str) -> None:
        """A change of a master's configuration, by its admin."""
        text = (self.directory / master / "master.cfg").read_text()
        for change in changes.values():
            before, after = change.split(" => ")
            expect(before in text, f"there is no {before} in {master}/master.cfg")
            text = text.replace(before, after)
        self.write(f"{master}/master.cfg", text)

    def use_ports(self, master: str) -> None:
        """This machine's ports instead of the usual ones."""
        ports = {"8080": self.router, "8010": self.web, "9988": self.workers[1] - 1, "9989": self.workers[1]}
        text = (self.directory / master / "master.cfg").read_text()
        self.write(f"{master}/master.cfg", re.sub("|".join(ports), lambda found: str(ports[found[0]]), text))

    def url(self, name: str) -> str:
        return f"postgresql+psycopg2://buildbot@127.0.0.1:{self.database}/{name}"

    def move_single_master(self) -> None:
        """One master for all, from SQLite to PostgreSQL."""
        self.run(self.options.farmout, "render", "buildbot", "--farm", self.directory / "farm", "-o", self.directory / "single", shown=False)
        self.use_ports("single")
        single = self.directory / "single"
        self.buildbot("create-master", "-r", "-q", single)
        self.buildbot("start", single)
        self.stack.callback(self.kill, "single/twistd.pid")
        self.buildbot("stop", single)
        self.buildbot("copy-db", self.url("one"), single)
        self.write("single/secrets/database-url", self.url("one"), 0o600)
        self.edit(
            "single",
            where='"sqlite:///state.sqlite" => util.Secret("database-url")',
            what="from farm import configure => from buildbot.plugins import util\nfrom farm import configure",
        )
        self.buildbot("upgrade-master", "-q", single)
        self.buildbot("start", single)
        names = sorted(builder["name"] for builder in self.get("builders")["builders"])
        print("  its builders:", ", ".join(names))
        log = (single / "twistd.log").read_text()
        expect("Setting up database with URL 'postgresql" in log, "the master does not use PostgreSQL")
        self.buildbot("stop", single)

    def make_master(self, number: int) -> None:
        """A master that was rendered: with this machine's ports, and the address of its database."""
        name = f"masters/master-{number}"
        self.edit(name, farm='farm = Farm() => farm = Farm(poll=None, change_hook="hook")')
        self.use_ports(name)
        self.write(f"{name}/secrets/database-url", self.url("two"), 0o600)
        self.write(f"{name}/secrets/hook", "of-the-hook", 0o600)
        self.buildbot("create-master", "-r", "-q", self.directory / name)
        self.buildbot("upgrade-master", "-q", self.directory / name)
        self.buildbot("checkconfig", self.directory / name)
        self.start_master(number)

    def start_master(self, number: int) -> None:
        self.buildbot("start", self.directory / f"masters/master-{number}")
        self.stack.callback(self.kill, f"masters/master-{number}/twistd.pid")

    def start_worker(self, number: int) -> None:
        """The worker of the one slave for one of the masters: with a directory of its own."""
        directory = self.directory / f"atlas-{number}"
        program = self.options.buildbot / "buildbot-worker"
        master = f"127.0.0.1:{self.workers[number]}"
        self.run(program, "create-worker", "--umask=0o22", "--relocatable", directory, master, "atlas", "of-atlas", shown=False)
        self.run(program, "start", directory, shown=False)
        self.stack.callback(self.kill, f"atlas-{number}/twistd.pid")

    def kill(self, pid_file: str) -> None:
        try:
            pid = int((self.directory / pid_file).read_text())
            os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            return
        wait_for("the end of a process", 10, lambda: gone(pid))

    def log(self, number: int) -> str:
        return (self.directory / f"masters/master-{number}/twistd.log").read_text(errors="replace")

    # What the web pages say.

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/api/v2/{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, method: str, **parameters: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web}/api/v2/{path}", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as answer:
            raise Failed(f"{path}: {answer.read().decode()}") from None

    def tell(self) -> None:
        """A change, to the hook of the first master."""
        fields = {"repository": "https://git.example.org/demo", "branch": "main", "author": "Ann <ann@example.org>", "comments": "x"}
        body = urllib.parse.urlencode({**fields, "revision": str(time.time_ns())}).encode()
        password = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        url = f"http://127.0.0.1:{self.web}/change_hook/base"
        password.add_password(None, url, "change", "of-the-hook")
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(password))
        opener.open(url, body, timeout=30).close()

    def force(self, build: str) -> None:
        builder = next(b for b in self.get("builders")["builders"] if b["name"].startswith(f"{build}-"))
        self.post(f"forceschedulers/force-{build}", "force", builderid=str(builder["builderid"]), username="Ann", reason="a trial")

    def table(self, least: int) -> list[dict[str, Any]]:
        """The builds that are new, once nothing is to be done any more and there are at least so many builds in all."""

        def found() -> list[dict[str, Any]] | None:
            builds = self.get("builds?order=buildid")["builds"]
            idle = len(builds) >= least and all(build["complete"] for build in builds)
            return builds if idle and not self.get("buildrequests?complete=false")["buildrequests"] else None

        builds = wait_for(f"{least} builds to be done", 300, found)
        builds, self.told = builds[self.told:], len(builds)
        names = {builder["builderid"]: builder["name"] for builder in self.get("builders")["builders"]}
        for build in builds:
            where = f"master {build['masterid']}"
            print(f"  build {build['buildid']}: {names[build['builderid']]} on {where}, {build['state_string']}", flush=True)
            if build["results"] == 2:
                self.tell_failure(build["buildid"])
        return builds


    def tell_failure(self, build: int) -> None:
        """What the steps said that failed."""
        for step in self.get(f"builds/{build}/steps")["steps"]:
            for log in self.get(f"steps/{step['stepid']}/logs")["logs"] if step["results"] == 2 else ():
                content = self.get(f"logs/{log['logid']}/contents")["logchunks"][0]["content"]
                print(f"--- {step['name']}\n{content}", file=sys.stderr)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(what: str, seconds: float, found: Callable[[], Any]) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if result := found():
                return result
        time.sleep(0.2)
    raise Failed(f"waited {seconds:.0f} s for {what}, in vain")


def expect(is_so: bool, what: str) -> None:
    if not is_so:
        raise Failed(what)


def title(text: str) -> None:
    print(f"\n# {text}", flush=True)


def play(scene: Scene) -> None:
    """All of it."""
    options = scene.options
    (scene.directory / "farm/buildouts").mkdir(parents=True)
    shutil.copytree(REPOSITORY / "buildouts/demo", scene.directory / "farm/buildouts/demo")
    shutil.copy(REPOSITORY / "buildouts/demo.cfg", scene.directory / "farm/buildouts")
    scene.write("farm/buildouts/MANIFEST.cfg", MANIFEST)
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    major = re.search(r"\d+", scene.run(options.postgresql / "postgres", "--version", shown=False))
    places = {"version": major and major[0], "bin": options.postgresql, "python": python, "program": os.path.realpath(sys.executable)}
    scene.write("farm/slaves.cfg", SLAVES.format(**places), 0o600)

    title("one master moves to PostgreSQL")
    scene.start_database()
    scene.move_single_master()

    title("the farm for two masters")
    scene.run(options.farmout, "render", "buildbot", "--farm", scene.directory / "farm", "--masters", "2", "-o", scene.directory / "masters")
    title("the router, the masters")
    scene.start_router()
    for number in (1, 2):
        scene.make_master(number)
        scene.start_worker(number)
    wait_for("the workers", 60, lambda: len(scene.get("workers")["workers"][0]["connected_to"]) == 2)

    title("a change, told to master 1")
    scene.tell()
    builds = scene.table(2)
    expect({build["masterid"] for build in builds} == {1, 2}, "the builds are not on both masters")
    expect(all(build["results"] == 0 for build in builds), "a build is not green")

    title("a build of master 2, started from the web pages of master 1")
    scene.force("shop")
    scene.table(3)

    title("another, and stopped from there")
    scene.force("shop")
    running = wait_for("a build", 60, lambda: [build for build in scene.get("builds")["builds"] if not build["complete"]])
    scene.post(f"builds/{running[0]['buildid']}", "stop", reason="enough")
    stopped = scene.table(4)
    expect(any(build["results"] == 6 for build in stopped), "the build was not stopped")

    title("master 2 killed while it builds, and started again")
    scene.force("shop")
    wait_for("a build", 60, lambda: any(not build["complete"] for build in scene.get("builds")["builds"]))
    scene.kill("masters/master-2/twistd.pid")
    scene.start_master(2)
    builds = scene.table(6)
    expect(builds[-1]["results"] == 0, "the request was not built again")

    title("the router stopped")
    scene.stop_router()
    wait_for("master 1", 60, lambda: "We have been disconnected from wamp server" in scene.log(1))
    for line in scene.log(1).splitlines():
        if "wamp server" in line or "restarting the whole" in line or "BuildMaster is stopped" in line:
            print(" ", re.sub(r"^\S+ \S+ \[.*?\] ", "", line))
    title("master 1 started without it")
    scene.kill("masters/master-1/twistd.pid")
    scene.start_master(1)
    scene.force("crm")
    time.sleep(20)
    waiting = scene.get("buildrequests?complete=false")["buildrequests"]
    expect(len(waiting) == 1, "the request does not wait")
    print("  20 s later nothing is done of what was asked for")

    title("the router, then both masters")
    for number in (1, 2):
        scene.kill(f"masters/master-{number}/twistd.pid")
    scene.start_router()
    for number in (1, 2):
        scene.start_master(number)
    builds = scene.table(7)
    expect(builds[-1]["results"] == 0, "the request that waited was not built")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--farmout", type=Path, default=shutil.which("farmout"), help="the farmout to use")
    parser.add_argument("--buildbot", type=Path, required=True, metavar="BIN", help="the directory with buildbot and buildbot-worker")
    parser.add_argument("--crossbar", type=Path, required=True, metavar="BIN", help="the directory with crossbar")
    parser.add_argument("--postgresql", type=Path, default=Path("/usr/lib/postgresql/15/bin"), metavar="BIN", help="PostgreSQL's programs")
    parser.add_argument("--user", help="who runs everything; needed if you are root")
    parser.add_argument("--port", type=int, default=28080, help="the first of five ports")
    options = parser.parse_args()
    if options.farmout is None:
        parser.error("no farmout on PATH: give --farmout")
    for name in ("farmout", "buildbot", "crossbar", "postgresql"):
        setattr(options, name, getattr(options, name).absolute())
    with tempfile.TemporaryDirectory(prefix="masters-", ignore_cleanup_errors=True) as directory:
        scene = Scene(Path(directory), options)
        try:
            with scene.stack:
                play(scene)
        except Failed as failed:
            for number in (1, 2):
                with contextlib.suppress(OSError):
                    print(f"--- the end of master {number}'s log\n{scene.log(number)[-3000:]}", file=sys.stderr)
            raise SystemExit(f"failed: {failed}") from None


if __name__ == "__main__":
    main()
