"""A farm that farmout compiled, on a Buildbot master.

In master.cfg, after `c = BuildmasterConfig = {}`:

    from farm import configure
    configure(c)

adds the farm's workers, builders, schedulers, pollers and secrets to `c`, and leaves what is there. What a farm is made
of stands in farm.json beside this file, which `farmout render buildbot` writes; this file is the same for every farm.
To change how something is made, subclass `Farm` and give the class along: `configure(c, MyFarm)`.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import os
import re
import shlex
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from stat import S_ISREG
from typing import Any, Callable, ClassVar, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple, Union
from urllib.parse import urlsplit
from weakref import WeakSet

from buildbot.changes.base import ReconfigurablePollingChangeSource
from buildbot.changes.filter import ChangeFilter
from buildbot.changes.gitpoller import GitError, GitPoller
from buildbot.changes.hgpoller import HgPoller
from buildbot.changes.pb import PBChangeSource
from buildbot.config import BuilderConfig, error
from buildbot.interfaces import IRenderable
from buildbot.locks import WorkerLock
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.properties import Secret
from buildbot.process.remotecommand import RemoteCommand, RemoteException, RemoteShellCommand
from buildbot.process.remotetransfer import DirectoryWriter, FileReader, StringFileReader, StringFileWriter
from buildbot.process.results import FAILURE, SKIPPED, SUCCESS, WARNINGS
from buildbot.schedulers.basic import SingleBranchScheduler
from buildbot.schedulers.forcesched import CodebaseParameter, ForceScheduler, StringParameter, UserNameParameter
from buildbot.schedulers.triggerable import Triggerable
from buildbot.secrets.providers.file import SecretInAFile
from buildbot.util import ComparableMixin
from buildbot.util.identifiers import ident_re
from buildbot.util.private_tempdir import PrivateTemporaryDirectory
from buildbot.util.runprocess import run_process
from buildbot.util.service import BuildbotService
from buildbot.util.state import StateMixin
from buildbot.worker import Worker
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import defer
from twisted.python import log
from zope.interface import implementer

FORMAT = 1
"""The format of farm.json that this file reads."""

LARGEST = 4 << 20
"""Of the largest file that a step keeps, in bytes."""

# ---------------------------------------------------------------------------------------------------------- the data

Text = Union[str, List[Any]]
"""A string; or a list of strings and placeholders, `{"name": ..., "or": Text}`."""


@dataclass(frozen=True)
class WorkerData:
    """A slave of the farm."""

    name: str
    priority: float
    db_prefix: str
    password: str
    properties: Mapping[str, str]
    slave: Optional[str] = None
    """Its name in the farm, where Buildbot takes no worker of that name."""
    max_builds: Optional[int] = None
    notify_on_missing: Sequence[str] = ()


@dataclass(frozen=True)
class Setting:
    """What a worker makes of all builders that get the same capabilities there."""

    values: Mapping[str, Text]
    path: Sequence[Text]
    environment: Mapping[str, Text]
    properties: Mapping[str, str]
    variants: Sequence[str]


@dataclass(frozen=True)
class StepData:
    """A step of the plan, as `farmout plan` shows it."""

    name: str
    phase: str
    template: str
    directory: Text
    on_failure: str
    help: str = ""
    run: Sequence[Text] = ()
    write: bool = False
    upload: Optional[Mapping[str, Any]] = None
    download: Optional[Mapping[str, Text]] = None
    environment: Mapping[str, Text] = field(default_factory=dict)
    lock: Optional[str] = None
    infrastructure: bool = False
    permanent: Sequence[int] = ()
    idle_timeout: Optional[int] = None
    timeout: Optional[int] = None
    always_run: bool = False
    property: Optional[str] = None
    keep: Optional[str] = None
    follow: Sequence[Text] = ()
    only_if: Optional[str] = None


@dataclass(frozen=True)
class BuilderData:
    """A builder: a build at given versions of capabilities."""

    name: str
    build: str
    directory: str
    databases: Mapping[str, str]
    properties: Mapping[str, str]
    settings: Mapping[str, Setting]
    """By worker, the best first."""
    steps: Sequence[StepData]
    files: Sequence[Mapping[str, Any]]
    procedure: int
    category: Optional[str] = None


@dataclass(frozen=True)
class BuildData:
    """A build of a manifest: what is scheduled."""

    name: str
    builders: Sequence[str]
    tree_stable_timer: int
    watch: Sequence[BranchData]
    properties: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class BranchData:
    """A branch whose changes start builds."""

    vcs: str
    url: str
    branch: Optional[str]
    place: str
    """The spelling that all its addresses share."""
    other_places: Sequence[str] = ()
    """Those of addresses that the farm rewrites to this one."""
    secret: Optional[str] = None


class Missing(Exception):
    """A placeholder that nothing fills in."""


def fill(text: Text, lookup: Callable[[str], Union[Text, None]]) -> str:
    """The text with its placeholders filled in. As in a shell's `:-`, an empty value counts as none where there is a default."""
    if isinstance(text, str):
        return text
    return "".join(piece if isinstance(piece, str) else _placeholder(piece, lookup) for piece in text)


def _placeholder(piece: Mapping[str, Any], lookup: Callable[[str], Union[Text, None]]) -> str:
    value, default = lookup(piece["name"]), piece.get("or")
    if isinstance(value, list):
        return fill(value, lookup)
    if value is None or (value == "" and default is not None):
        if default is None:
            raise Missing(piece["name"])
        return fill(default, lookup)
    return value


def names(text: Text) -> Iterable[str]:
    """The names of a text's placeholders."""
    for piece in text if isinstance(text, list) else ():
        if not isinstance(piece, str):
            yield piece["name"]
            yield from names(piece.get("or", ""))


@dataclass(frozen=True)
class Place:
    """A builder on a worker."""

    builder: BuilderData
    worker: WorkerData
    setting: Setting

    def value(self, name: str) -> Optional[Text]:
        """What a placeholder stands for that does not depend on the run."""
        if name == "database":
            return self.builder.databases[self.worker.db_prefix]
        return self.worker.slave or self.worker.name if name == "slave" else self.setting.values.get(name)

    def has(self, step: StepData) -> bool:
        """Whether the step is there on this worker."""
        return step.only_if is None or step.only_if in self.setting.variants

    def properties(self) -> Dict[str, str]:
        """The properties of a build here."""
        return {**self.worker.properties, **self.builder.properties, **self.setting.properties}

    def secrets(self, texts: Iterable[Text]) -> Set[str]:
        """The names of the secrets that these texts ask for."""
        found: Set[str] = set()
        for text in texts:
            for name in names(text):
                if name.startswith("secret."):
                    found.add(name[len("secret.") :])
                else:
                    found |= self.secrets([self.setting.values.get(name, "")])
        return found


# --------------------------------------------------------------------------------------------------------- the steps


class Command(RemoteShellCommand):  # type: ignore[misc]
    """A command that knows the last line of its standard output that is not blank, as it came: in logs, Buildbot masks secrets."""

    line: str = ""

    def remoteUpdate(self, key: str, value: Any, is_flushed: bool) -> Any:
        if key == "stdout":
            for line in filter(str.strip, value.split("\n")):
                self.line = line.strip()
        return super().remoteUpdate(key, value, is_flushed)


class KeptFile(StringFileWriter):  # type: ignore[misc]
    """Takes a file that may hold anything. Buildbot's own takes text, a piece at a time, and without an answer to what is none
    the worker waits for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.content = bytearray()

    def remote_write(self, data: bytes) -> None:
        self.content += data


class FarmStep(BuildStep):  # type: ignore[misc]
    """What steps of plans and the steps around them share: commands of a place."""

    renderables: List[str] = []

    def __init__(self, farm: Farm, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.farm = farm

    def __str__(self) -> str:
        """What the master's log calls it: without all that it was made of."""
        return f"{self.__class__.__name__}({self.name})"

    __repr__ = __str__

    @property
    def place(self) -> Place:
        return self.farm.place(self.build.builder.name, self.worker_name())

    def worker_name(self) -> str:
        return str(self.build.getWorkerName())

    def path(self, *parts: str) -> str:
        """A path below the worker's base directory."""
        return str(self.build.path_module.join(self.getProperty("basedir"), *parts))

    def run_id(self) -> str:
        """A name for the build that no other build on the worker's machine has, whichever master it is of."""
        master = hashlib.sha256(self.build.master.name.encode()).hexdigest()
        return f"buildbot-{master[:8]}-{self.build.buildid}"

    def masked(self, text: str) -> str:
        """The text with the names of secrets in their place."""
        return str(self.build.properties.cleanupTextFromSecrets(text))

    def report(self, reason: str) -> None:
        """What stands beside the step's name."""
        self.descriptionDone = reason

    @defer.inlineCallbacks
    def shell(self, command: Sequence[str], directory: str, env: Mapping[str, Any], **kwargs: Any) -> Any:
        """Runs a command on the worker, without its environment in its log. Returns it as Buildbot has it.

        `env` starts it. The worker itself would look for the program on its own `PATH`, not on the command's, and what is not
        there would be an exception and no exit status.
        """
        words, variables = ["env"], dict(env)
        if "PYTHONPATH" in variables:
            # The worker would put its own behind it, and cannot unset it.
            value = variables.pop("PYTHONPATH")
            words += ["-u", "PYTHONPATH"] if value is None else [f"PYTHONPATH={value}"]
        admins: Mapping[str, Any] = self.build.builder.config.env or {}
        for name, value in variables.items():
            if isinstance(value, str) and value != admins.get(name):
                variables[name] = escaped(value)
        words += command
        options = {"timeout": None, "logEnviron": False, "sigtermTime": 10, "usePTY": False, **kwargs}
        remote = Command(directory, words, env=variables, **options)
        remote.useLog(self.stdio, False)
        for name in remote.args["logfiles"]:
            remote.useLogDelayed(name, lambda _remote, name=name: self.addLog(name), True)
        yield self.runCommand(remote)
        return remote

    @defer.inlineCallbacks
    def order(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Another of the worker's commands, of which the log has complaints only. Returns it as Buildbot has it; one that was refused
        has failed."""
        command = RemoteCommand(name, {"logEnviron": False, **arguments}, collectStderr=True)
        try:
            yield self.runCommand(command)
        except RemoteException as problem:
            command.stderr += self.masked(str(problem).split("\n", 1)[0])
        if command.stderr:
            yield self.stdio.addStderr(command.stderr.rstrip("\n") + "\n")
        return command

    @defer.inlineCallbacks
    def download(self, reader: Any, path: str, mode: int) -> Any:
        """A file from the master to the worker; whether it is there."""
        arguments = {"workdir": self.getProperty("basedir"), "maxsize": None, "mode": mode, "blocksize": 256 * 1024}
        done = yield self.order("downloadFile", {**arguments, "reader": reader, "workerdest": path})
        return not done.didFail()

    @defer.inlineCallbacks
    def stat(self, path: str) -> Any:
        """What the worker's `os.stat` says of a path; none if there is nothing."""
        done = yield self.order("stat", {"file": path})
        return None if done.didFail() else os.stat_result(done.updates["stat"][-1])

    def at_work(self) -> List[str]:
        """The directories of the other builders that build on this worker now."""
        worker = self.build.workerforbuilder.worker
        busy = (other.builder for other in worker.workerforbuilders.values() if other.isBusy())
        others = (builder for builder in busy if builder in AT_WORK and builder is not self.build.builder)
        return sorted(builder.config.workerbuilddir for builder in others)

    def environment(self) -> Dict[str, Any]:
        """What every command gets: nothing of the worker's own Python, database or repository reaches a build."""
        clean: Mapping[str, Any] = json.loads(self.getProperty("farmout-environment") or "{}")
        env: Dict[str, Any] = {name: None for name in clean.get("unset", ())}
        env["PATH"] = [escaped(clean["path"]) if "path" in clean else "${PATH}"]
        return env


def escaped(value: str) -> str:
    """A variable's value as the worker takes it: it puts variables of its own in the place of what looks like one, for `${}`
    nothing, and looks at no text twice."""
    return value.replace("${", "$${}{")


AT_WORK: "WeakSet[Any]" = WeakSet()
"""The builders of farms that have built since the master was started. It outlives reconfigurations."""


class GetFarmout(FarmStep):
    """Finds the farmout of the version that the farm was compiled with on the worker, or brings it there."""

    def __init__(self, farm: Farm, **kwargs: Any) -> None:
        super().__init__(farm, name="get-farmout", haltOnFailure=True, flunkOnFailure=True, **kwargs)

    @defer.inlineCallbacks
    def run(self) -> Any:
        AT_WORK.add(self.build.builder)
        self.stdio = yield self.addLog("stdio")
        version = self.farm.version
        own = self.getProperty("farmout")
        kept = self.path("bin", f"farmout-{version}")
        for program in [own] if own else ["farmout", kept]:
            found = yield self.find(program)
            if found:
                return self.use(found)
        if own:
            self.report(f"the worker's property `farmout`, {own}, is no farmout {version}")
            return FAILURE
        if self.farm.program is None:
            self.report(f"there is no farmout {version}, neither on the worker's PATH nor on the master's")
            return FAILURE
        # Several builds may bring it at the same time.
        aside = f"{kept}.{self.build.buildid}"
        with open(self.farm.program, "rb") as program_file:
            brought = yield self.download(FileReader(program_file), aside, 0o755)
        if not brought:
            self.report(f"{aside} cannot be written")
            return FAILURE
        if not (yield self.find(aside)):
            yield self.order("rmfile", {"path": aside})
            self.report(f"the master's {self.farm.program} does not run there, or is not of version {version}")
            return FAILURE
        moved = yield self.shell(["mv", "-f", aside, kept], self.getProperty("basedir"), {})
        return FAILURE if moved.didFail() else self.use(kept)

    @defer.inlineCallbacks
    def find(self, program: str) -> Any:
        """The program's path, as steps have another search path; none if it is not there or of another version."""
        base = self.getProperty("basedir")
        command = ["sh", "-c", 'command -v "$0" && exec "$0" --version', program]
        told = yield self.shell(command, base, {}, collectStdout=True, timeout=60)
        path, _, version = told.stdout.strip().rpartition("\n")
        return self.build.path_module.join(base, path) if version == f"farmout {self.farm.version}" else None

    def use(self, program: str) -> int:
        self.setProperty("farmout", program, "farmout")
        self.report(program)
        return int(SUCCESS)


class Workspace(FarmStep):
    """Makes the build's directories, and ends and removes what a build has left that was cut off."""

    def __init__(self, farm: Farm, **kwargs: Any) -> None:
        super().__init__(farm, name="workspace", haltOnFailure=True, flunkOnFailure=True, **kwargs)

    @defer.inlineCallbacks
    def run(self) -> Any:
        self.stdio = yield self.addLog("stdio")
        place, base = self.place, self.getProperty("basedir")
        command = [self.getProperty("farmout"), "tool", "workspace", "begin", "--basedir", base]
        command += ["--directory", place.builder.directory, "--run", self.run_id()]
        if any("socket-dir" in names(text) for text in self.farm.texts(place)):
            command.append("--sockets")
        for directory in self.at_work():
            command += ["--at-work", directory]
        begun = yield self.shell(command, base, {}, timeout=600)
        if begun.didFail() or not begun.line:
            return FAILURE
        made = json.loads(begun.line)
        for name, value in place.properties().items():
            self.setProperty(name, value, "farmout")
        for request in self.build.requests:
            # Whoever asks for a build has the last word.
            self.build.properties.updateFromProperties(request.properties)
        # It was found already, by the worker's property of the same name if there is one.
        self.setProperty("farmout", command[0], "farmout")
        self.setProperty("tmp-dir", made["tmp-dir"], "farmout")
        self.setProperty("socket-dir", made.get("socket-dir", ""), "farmout")
        clean = {key: made[key] for key in ("unset", "path") if key in made}
        self.setProperty("farmout-environment", json.dumps(clean), "farmout")
        self.build.addStepsAfterCurrentStep(
            [step for directory in made["left-behind"] for step in self.farm.aftermath(directory, place.worker)]
        )
        return SUCCESS


class WorkspaceEnd(FarmStep):
    """Ends what the build's steps left running, and empties its temporary directories."""

    def __init__(self, farm: Farm, directory: Optional[str] = None, **kwargs: Any) -> None:
        kwargs.setdefault("name", "workspace-end")
        flags = {"alwaysRun": True, "haltOnFailure": False, "flunkOnFailure": False, "warnOnFailure": True}
        super().__init__(farm, doStepIf=has_farmout, hideStepIf=is_skipped, **flags, **kwargs)
        self.directory = directory

    @defer.inlineCallbacks
    def run(self) -> Any:
        self.stdio = yield self.addLog("stdio")
        base = self.getProperty("basedir")
        command = [self.getProperty("farmout"), "tool", "workspace", "end", "--basedir", base]
        command += ["--directory", self.directory or self.place.builder.directory, "--run", self.run_id()]
        ended = yield self.shell(command, base, {}, timeout=600)
        return WARNINGS if ended.didFail() else SUCCESS


def has_farmout(step: Any) -> bool:
    return bool(step.getProperty("farmout-environment"))


def is_skipped(results: int, _step: Any) -> bool:
    return bool(results == SKIPPED)


class PlanStep(FarmStep):
    """A step of the plan: the command of `farmout plan`, in the same environment."""

    def __init__(self, farm: Farm, data: StepData, builder: Optional[str] = None, **kwargs: Any) -> None:
        flags = {
            "haltOnFailure": data.on_failure == "halt",
            "flunkOnFailure": data.on_failure in ("halt", "flunk"),
            "warnOnWarnings": data.on_failure == "warn",
            "warnOnFailure": False,
            "alwaysRun": data.always_run,
        }
        arguments = {"name": data.name, "description": data.help or None, "hideStepIf": is_skipped, **flags, **kwargs}
        super().__init__(farm, **{"doStepIf": PlanStep.is_wanted, **arguments})
        self.data = data
        self.of = builder

    @property
    def place(self) -> Place:
        return self.farm.place(self.of or self.build.builder.name, self.worker_name())

    def is_wanted(self) -> bool:
        """Whether this worker has the step; and of one that cleans up, whether what it would remove was ever begun."""
        place, data = self.place, self.data
        if not has_farmout(self) or not place.has(data):
            return False
        if self.of is not None:
            # It may have begun again since, and needs then what this would remove.
            return place.builder.directory not in self.at_work()
        if not data.always_run or data.template in self.begun():
            return True
        steps = place.builder.steps
        return all(s.always_run or s.template != data.template or not place.has(s) for s in steps)

    def begun(self) -> Set[str]:
        """The templates of which a step has begun in this build."""
        templates: Set[str] = self.build.__dict__.setdefault("farmout_begun", set())
        return templates

    # What is filled in.

    def value(self, name: str) -> Optional[Text]:
        """What a placeholder stands for."""
        builder = self.place.builder
        if name == "basedir":
            return self.path()
        if name in ("builder-dir", "build-dir"):
            return self.path(builder.directory, *(["build"] if name == "build-dir" else []))
        if name == "caches":
            return self.path("buildout-caches")
        if name == "archives":
            return self.path(builder.directory, "archives")
        if name in ("tmp-dir", "socket-dir", "farmout"):
            return str(self.getProperty(name) or "") or None
        if name == "run":
            return self.run_id()
        if name.startswith("property."):
            return self.known(name[len("property.") :])
        if name.startswith("secret."):
            return self.secrets.get(name[len("secret.") :])
        return self.place.value(name)

    def known(self, name: str) -> Optional[str]:
        """A property of the build. What Buildbot fills in by itself is none: its `revision` is that of a change in any of the
        repositories that the build watches, and the plan's is what was fetched."""
        value, source = self.build.properties.asDict().get(name, (None, None))
        return None if value is None or source == "Build" else self.hidden().get((name, value), str(value))

    def hidden(self) -> Dict[Tuple[str, str], str]:
        """What steps have reported with a secret in it, by the property's name and what everybody may see of it."""
        values: Dict[Tuple[str, str], str] = self.build.__dict__.setdefault("farmout_hidden", {})
        return values

    def text(self, text: Text) -> str:
        return fill(text, self.value)

    def command(self) -> List[str]:
        """The program and its arguments."""
        return [self.text(argument) for argument in self.data.run]

    def directory(self) -> str:
        """The working directory."""
        return self.text(self.data.directory)

    def variables(self) -> Dict[str, str]:
        """The variables that the plan adds, but for `PATH`; an empty one is not set."""
        setting = self.place.setting
        texts = {**setting.environment, **self.data.environment}
        return {name: self.text(text) for name, text in texts.items()}

    def search_path(self) -> List[str]:
        """The directories that the plan puts before `PATH`. An empty one would be the working directory."""
        return [path for path in map(self.text, self.place.setting.path) if path]

    def environment(self) -> Dict[str, Any]:
        env = super().environment()
        env["PATH"] = [path for path in (*map(escaped, self.search_path()), *env["PATH"]) if path]
        env.update(self.build.builder.config.env or {})
        env.update({name: value or None for name, value in self.variables().items()})
        env["FARMOUT_STEP"] = f"{self.run_id()}/{self.place.builder.directory}/{self.data.name}"
        return env

    # What is done.

    @defer.inlineCallbacks
    def run(self) -> Any:
        if not self.data.always_run:
            self.begun().add(self.data.template)
        self.stdio = yield self.addLog("stdio")
        yield self.find_secrets()
        return (yield self.attempts())

    @defer.inlineCallbacks
    def find_secrets(self) -> Any:
        """Buildbot masks in logs what is rendered here."""
        setting, data = self.place.setting, self.data
        texts = [*data.run, data.directory, *data.environment.values(), *setting.environment.values(), *setting.path]
        self.secrets: Dict[str, str] = {}
        for name in sorted(self.place.secrets(texts)):
            self.secrets[name] = yield Secret(name).getRenderingFor(self.build.properties)

    @defer.inlineCallbacks
    def attempts(self) -> Any:
        """Runs the step, and where that is worth it again."""
        left = self.farm.retries if self.data.infrastructure else 0
        while True:
            self.reasons: List[str] = []
            results, status = yield self.attempt()
            if results not in (FAILURE, WARNINGS) or left == 0 or status in self.data.permanent or self.stopped:
                break
            left -= 1
            yield self.stdio.addHeader("it did not work, and is tried again\n")
        if self.reasons:
            self.report(self.masked("; ".join(self.reasons)))
        return results

    @defer.inlineCallbacks
    def attempt(self) -> Any:
        """Runs the step once: what that means for the build, and the command's exit status, if it ran."""
        results, status = FAILURE, None
        try:
            results, status = yield self.perform()
        except Missing as missing:
            yield self.stdio.addStderr(f"nothing is known as ${{{missing}}} here\n")
            self.reasons.append(f"nothing is known as {missing}")
        if results == FAILURE and self.data.on_failure in ("warn", "ignore"):
            results = WARNINGS if self.data.on_failure == "warn" else SUCCESS
        if self.data.keep is not None and status is not None and not self.stopped:
            results = yield self.keep(self.data.keep, results)
        return results, status

    @defer.inlineCallbacks
    def perform(self) -> Any:
        """Runs the command, with what it needs of the master."""
        if self.data.upload is not None:
            return (yield self.publish(self.data.upload))
        command = self.command()
        if self.data.write:
            command = yield self.files()
        if not command or (self.data.download is not None and not (yield self.fetch(self.data.download))):
            self.reasons.append("what it needs of the master cannot be brought")
            return FAILURE, None
        if self.data.keep is not None:
            # What an earlier build has left is not this one's.
            yield self.order("rmfile", {"path": self.at(self.data.keep)})
        limits = {"timeout": self.data.idle_timeout, "maxTime": self.data.timeout}
        options = {"logfiles": self.followed(), **limits}
        remote = yield self.shell(command, self.directory(), self.environment(), **options)
        if remote.results() == SUCCESS and self.data.property is not None:
            self.tell(self.data.property, remote.line)
        if remote.results() == FAILURE:
            self.reasons.append(f"exit status {remote.rc}" + (f": {remote.line}" if remote.line else ""))
        return remote.results(), remote.rc

    def tell(self, name: str, value: str) -> None:
        """Makes a property of the build. Everybody may look at it; only later steps get what is secret in it."""
        if not value or "\ufffd" in value:
            why = "the last line is not UTF-8" if value else "there was no output"
            self.reasons.append(f"the property `{name}` has no value: {why}")
            return
        shown = self.masked(value)
        if shown != value:
            self.hidden()[name, shown] = value
        self.setProperty(name, shown, "farmout")

    def at(self, name: str) -> str:
        """A path from the working directory."""
        return str(self.build.path_module.join(self.directory(), name))

    def followed(self) -> Dict[str, str]:
        """The files that the command writes, shown while it does."""
        paths = [self.at(self.text(text)) for text in self.data.follow]
        return {self.masked(self.build.path_module.basename(path)): path for path in paths}

    @defer.inlineCallbacks
    def files(self) -> Any:
        """The command that writes the files which the builder carries; none if they cannot be brought."""
        contents = self.farm.files
        files = [{**file, "content": contents[file["content"]]} for file in self.place.builder.files]
        path = self.path(self.place.builder.directory, ".farmout-files-to-write.json")
        if not (yield self.download(StringFileReader(json.dumps(files)), path, 0o600)):
            return None
        command = [self.text([{"name": "farmout"}]), "tool", "write-files", "--basedir", self.path()]
        return [*command, "--directory", self.directory(), "--files", path]

    @defer.inlineCallbacks
    def keep(self, name: str, results: int) -> Any:
        """The file that the step left in its directory, as a log of its own. Returns what has come of the step then."""
        path, writer = self.at(name), KeptFile()
        found = yield self.stat(path)
        if found is None:
            if results != SUCCESS:
                return results
            problem = f"it left no {name} to keep"
        elif not S_ISREG(found.st_mode) or found.st_size > LARGEST:
            problem = f"{name} is not kept: {path} is no file of at most {LARGEST} bytes"
        else:
            # A worker that has sent as much as it may takes this for a mistake.
            arguments = {"workdir": self.path(), "workersrc": path, "maxsize": LARGEST + 1, "blocksize": 64 * 1024}
            done = yield self.order("uploadFile", {**arguments, "writer": writer})
            if not done.didFail():
                yield self.addCompleteLog(name, self.masked(writer.content.decode(errors="replace")))
                return results
            problem = f"{name} is not kept: it cannot be read"
        self.reasons.append(problem)
        return FAILURE if results == FAILURE else WARNINGS

    @defer.inlineCallbacks
    def fetch(self, archive: Mapping[str, Text]) -> Any:
        """The master's archive and its md5 to where the command looks for them on the worker; whether they are there."""
        root, directory, name = (self.text(archive[key]) for key in ("root", "directory", "name"))
        for suffix in (".tar.bz2", ".tar.bz2.md5"):
            source = Path(root, directory, name + suffix)
            if Path(root).resolve() not in source.resolve().parents or not source.is_file():
                yield self.stdio.addStderr(self.masked(f"the master has no {source}\n"))
                return False
            path = self.build.path_module.join(self.text([{"name": "archives"}]), directory, name + suffix)
            with source.open("rb") as opened:
                if not (yield self.download(FileReader(opened), path, 0o644)):
                    return False
        return True

    @defer.inlineCallbacks
    def publish(self, upload: Mapping[str, Any]) -> Any:
        """Files and directories from the worker to the master. Both copy as `farmout tool upload` does: the worker into a directory
        of the build's own, and the master from there to where everybody can see it."""
        out = self.build.path_module.join(self.text([{"name": "tmp-dir"}]), ".farmout-upload")
        command = [self.text([{"name": "farmout"}]), "tool", "upload", *map(self.text, upload["sources"]), "--to", out]
        limits = {"timeout": self.data.idle_timeout, "maxTime": self.data.timeout}
        copied = yield self.shell(command, self.directory(), self.environment(), **limits)
        if copied.didFail():
            self.reasons.append(f"exit status {copied.rc}")
        results = copied.results()
        # Where something was left out, all the rest is there.
        if (yield self.stat(out)) is not None:
            results = max(results, (yield self.receive(out, upload)))
            yield self.order("rmdir", {"dir": out})
        return results, copied.rc

    @defer.inlineCallbacks
    def receive(self, out: str, upload: Mapping[str, Any]) -> Any:
        """What the worker has copied, to where it is published on the master."""
        base = Path(self.farm.directory, "uploads")
        base.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=base) as aside:
            here = str(Path(aside, "upload"))
            arguments = {"workdir": self.path(), "workersrc": out, "maxsize": None, "blocksize": 256 * 1024}
            writer = DirectoryWriter(here, None, "gz", 0o600)
            done = yield self.order("uploadDirectory", {**arguments, "writer": writer, "compress": "gz"})
            if done.didFail():
                self.reasons.append("what it published cannot be brought to the master")
                return FAILURE
            fixed = isinstance(upload["base"], str)
            command = [self.farm.program or "farmout", "tool", "upload", here]
            command += ["--base", upload["base"] if fixed else str(base), "--to", self.text(upload["to"])]
            if "url" in upload:
                command += ["--url", self.text(upload["url"])]
            yield self.stdio.addHeader(self.masked(f"on the master: {shlex.join(command)}\n"))
            limits = {"runtime_timeout": self.data.timeout, "io_timeout": self.data.idle_timeout}
            status, *said = yield run_process(self.build.master.reactor, command, stderr_is_error=False, **limits)
        output, errors = (self.masked(text.decode(errors="replace")) for text in said)
        yield self.stdio.addStdout(output)
        yield self.stdio.addStderr(errors)
        last = output.strip().splitlines()[-1:]
        if status != 0:
            self.reasons.append(f"exit status {status} on the master")
            return FAILURE
        if "url" in upload and last:
            yield self.addURL(self.data.name, last[0])
        return SUCCESS


# ------------------------------------------------------------------------------------------------------- the changes

PLACES = "farmout-places"
"""The property of a change in which `farmout notify` tells all places of its repository."""

TELLER = "change"
"""Whom `farmout notify` logs in as."""


def bare(url: str) -> str:
    """An address without the endings that servers add or leave out."""
    return url.rstrip("/").removesuffix(".git").rstrip("/")


def addresses(places: Any, repository: Optional[str]) -> List[str]:
    """Where a change is said to be. What strangers send in place of places may be anything."""
    places = places.split("\n") if isinstance(places, str) else places
    known = [place for place in places if isinstance(place, str)] if isinstance(places, (list, tuple)) else []
    return [*known, bare(repository or "")]


def places(branch: BranchData) -> Tuple[str, ...]:
    """By what a change in a branch's repository is known."""
    return (branch.place, bare(branch.url), *branch.other_places)


class WatchFilter(ChangeFilter):  # type: ignore[misc]
    """Lets the changes of a build's own branches through.

    Buildbot's own filter combines each of its repositories with each of its branches. Filters of the same branches are
    equal, so that a reconfiguration finds nothing new in them.
    """

    compare_attrs: ClassVar[Sequence[str]] = ("pairs",)

    def __init__(self, branches: Iterable[BranchData]) -> None:
        super().__init__()
        pairs = {(at, branch.branch) for branch in branches for at in places(branch)}
        self._pairs = frozenset(pairs)
        self.pairs = sorted(pairs, key=str)

    def filter_change(self, change: Any) -> bool:
        name = (change.branch or "").removeprefix("refs/heads/")
        # A Bazaar address is that of a branch, whatever else is said of it.
        told = addresses(change.properties.getProperty(PLACES), change.repository)
        return any((at, name) in self._pairs or (at, None) in self._pairs for at in told)

    def __repr__(self) -> str:
        return f"<WatchFilter on {', '.join(f'{at} {name}' if name else at for at, name in self.pairs)}>"


class Steady(BuildbotService):  # type: ignore[misc]
    """A service that a reconfiguration leaves alone where nothing is new for it.

    Buildbot compares what a service has become with what another is only asked to be. The two never are equal, and so each
    scheduler would subscribe to changes anew, and each poller forget in the midst of its work what it knows.
    """

    _config_args: Any
    _config_kwargs: Any

    @defer.inlineCallbacks
    def reconfigServiceWithSibling(self, sibling: Any) -> Any:
        wanted = (sibling._config_args, sibling._config_kwargs)
        if self.configured and wanted == (self._config_args, self._config_kwargs):
            return
        yield self.reconfigure(sibling)
        self._config_args, self._config_kwargs = wanted

    @defer.inlineCallbacks
    def reconfigure(self, sibling: Any) -> Any:
        """Takes what is new."""
        yield super().reconfigServiceWithSibling(sibling)


class WatchScheduler(Steady, SingleBranchScheduler):  # type: ignore[misc]
    """One timer for all repositories of a build: it runs once they have all been quiet."""


class Polled(Steady, ReconfigurablePollingChangeSource):  # type: ignore[misc]
    """A poller that ends a look at its repository before it is given something else to look at, and says in a line what is
    wrong there."""

    @defer.inlineCallbacks
    def poll(self) -> Any:
        try:
            yield self.look()
        except (GitError, Refused) as error:
            log.msg(f"cannot poll {self.name}: {' '.join(str(error).split())}")

    @defer.inlineCallbacks
    def look(self) -> Any:
        """Tells the master what is new."""
        yield super().poll()

    @defer.inlineCallbacks
    def reconfigure(self, sibling: Any) -> Any:
        running = self.configured and self.doPoll.running
        if running:
            yield self.doPoll.stop()
        yield super().reconfigure(sibling)
        if running and not self.doPoll.running:
            self.doPoll.start(self.pollInterval, True, self.pollRandomDelayMin, self.pollRandomDelayMax)


@implementer(IRenderable)
class Login(ComparableMixin):  # type: ignore[misc]
    """One half of a secret USER:PASSWORD."""

    compare_attrs: ClassVar[Sequence[str]] = ("secret", "half")

    def __init__(self, secret: str, half: int) -> None:
        self.secret = secret
        self.half = half

    @defer.inlineCallbacks
    def getRenderingFor(self, properties: Any) -> Any:
        secret = yield properties.render(Secret(self.secret))
        return str(secret.partition(":")[self.half * 2])

    @classmethod
    def of(cls, secret: Optional[str]) -> Optional[Tuple[Login, Login]]:
        return (cls(secret, 0), cls(secret, 1)) if secret else None


class Branches(Polled):
    """A poller of some branches of a repository. What is there of a branch when it is first watched is not news. A branch that
    was looked for in vain is: of all that it has when it appears, its head is told."""

    branches: List[str]
    watched: Sequence[str] = ()
    lastRev: Any

    @defer.inlineCallbacks
    def look(self) -> Any:
        self.watched = yield self.getState("watched", [])
        yield super().look()
        if self.watched != self.branches and self.has_seen():
            yield self.setState("watched", self.branches)

    def has_seen(self) -> bool:
        """Whether it now knows which of its branches are there."""
        return True


class WatchedGit(Branches, GitPoller):  # type: ignore[misc]
    """Polls some branches of a Git repository."""

    refs: Optional[List[str]] = None
    """Those of its branches that are there, as far as it knows."""

    @defer.inlineCallbacks
    def look(self) -> Any:
        self.refs = None
        self.before = self.lastRev
        yield super().look()

    @defer.inlineCallbacks
    def _get_refs(self, git_auth_files_path: str) -> Any:
        found = yield super()._get_refs(git_auth_files_path)
        self.refs = found[0]
        return found

    def has_seen(self) -> bool:
        # It leaves where there is nothing to fetch, and where that fails; else it has other revisions to start from.
        return self.refs == [] or self.lastRev is not self.before

    def poll_should_exit(self) -> bool:
        # Whoever leaves early forgets the branches that were not looked at.
        return False

    @defer.inlineCallbacks
    def _process_changes(self, newRev: str, branch: str) -> Any:
        known = self.lastRev
        if branch not in known:
            if branch not in self.watched:
                return
            # Knowing no other revision it would tell nothing; knowing others, all that they have not.
            self.lastRev = {"": newRev}
        try:
            yield super()._process_changes(newRev, branch)
        finally:
            self.lastRev = known


class WatchedHg(Branches, HgPoller):  # type: ignore[misc]
    """Polls some branches of a Mercurial repository, with a password where it asks for one."""

    login: Optional[Tuple[Login, Login]] = None

    def _processBranchChanges(self, new_rev: str, branch: str) -> Any:
        if branch not in self.lastRev and branch in self.watched:
            # What comes after no revision is nothing, and then the head is told.
            self.lastRev[branch] = "none()"
        return super()._processBranchChanges(new_rev, branch)

    def checkConfig(self, repourl: str, login: Any = None, **kwargs: Any) -> None:
        super().checkConfig(repourl, **kwargs)

    @defer.inlineCallbacks
    def reconfigService(self, repourl: str, login: Any = None, **kwargs: Any) -> Any:
        yield super().reconfigService(repourl, **kwargs)
        self.login = login

    @defer.inlineCallbacks
    def _getChanges(self) -> Any:
        # Asked for its branches by name, Mercurial would pull none of them as soon as one is missing.
        yield self._initRepository()
        settings = os.path.join(self._absWorkdir(), ".hg", "hgrc")
        text = ""
        if self.login:
            user, password = yield self.renderSecrets(*self.login)
            text = f"[auth]\nx.prefix = {self.repourl}\nx.username = {user}\nx.password = {password}\n"
        write_private(settings, text)
        try:
            yield called(self, [self.hgbin, "pull", "--quiet", "--", self.repourl], workdir=self._absWorkdir())
        finally:
            os.unlink(settings)

    @defer.inlineCallbacks
    def _getHead(self, branch: str) -> Any:
        # Of several heads the newest: who waits for the others to be merged waits in vain in many a repository.
        name = json.dumps(f"literal:{branch}", ensure_ascii=False)
        command = [self.hgbin, "log", "--rev", f"max(head() and branch({name}) and not closed())", "--template", "{rev}"]
        try:
            return (yield called(self, command, workdir=self._absWorkdir())) or None
        except Refused as error:
            log.msg(f"cannot poll branch {branch} of {self.name}: {error}")
            return None


class BzrPoller(Polled, StateMixin):  # type: ignore[misc]
    """Polls a Bazaar branch, of which Buildbot has no poller any more. What it saw last is in the master's database."""

    # A branch that gets more at once is told with its newest revisions.
    most = 1000

    def checkConfig(self, url: str, login: Any = None, **kwargs: Any) -> None:
        super().checkConfig(**kwargs)

    @defer.inlineCallbacks
    def reconfigService(self, url: str, login: Any = None, **kwargs: Any) -> Any:
        self.url = url
        self.login = login
        yield super().reconfigService(**kwargs)

    def describe(self) -> str:
        return f"BzrPoller watching the Bazaar branch {self.url}"

    @defer.inlineCallbacks
    def look(self) -> Any:
        with PrivateTemporaryDirectory(prefix=".bzr-", dir=self.master.basedir) as home:
            environment = yield self.environment(home)
            _, _, head = (yield self.client(environment, "revision-info", f"--directory={self.url}")).partition(" ")
            last = yield self.getState("revision", None)
            if last is not None and head not in (last, "null:"):
                for change in (yield self.changes(environment, last, head)):
                    yield self.master.data.updates.addChange(**change, repository=self.url, src="bzr")
            if head != last:
                yield self.setState("revision", head)

    @defer.inlineCallbacks
    def changes(self, environment: Dict[str, str], last: str, head: str) -> Any:
        """What the branch got since it had another head, the oldest first."""
        entries = ["log", "--long", "--verbose", "--show-ids", "--levels=1", f"--limit={self.most}"]
        since = "" if last == "null:" else f"revid:{last}"
        try:
            said = yield self.client(environment, *entries, f"--revision={since}..revid:{head}", self.url)
        except Refused:
            said = ""
        found = [change for change in map(bzr_change, bzr_entries(said)) if not change["revision"].endswith(f" {last}")]
        if not found:
            # It was overwritten, or went back.
            said = yield self.client(environment, *entries, f"--revision=revid:{head}", self.url)
            found = [bzr_change(entry) for entry in bzr_entries(said)]
        return found[::-1]

    @defer.inlineCallbacks
    def environment(self, home: str) -> Any:
        """The client's; where there is a password it finds that there, in place of its user's settings."""
        environment = {"BRZ_LOG": os.devnull, "BZR_LOG": os.devnull, "LC_ALL": "C.UTF-8"}
        if self.login:
            user, password = yield self.renderSecrets(*self.login)
            url = urlsplit(self.url)
            port = f"port = {url.port}\n" if url.port else ""
            text = f"[x]\nscheme = {url.scheme}\nhost = {url.hostname}\n{port}user = {quoted(user)}\npassword = {quoted(password)}\n"
            for folder in ("breezy", ".bazaar"):
                os.mkdir(os.path.join(home, folder))
                write_private(os.path.join(home, folder, "authentication.conf"), text)
            environment.update(BRZ_HOME=home, BZR_HOME=home)
        return environment

    @defer.inlineCallbacks
    def client(self, environment: Dict[str, str], *arguments: str) -> Any:
        program = next(filter(None, map(shutil.which, ("brz", "bzr"))), None)
        if not program:
            raise Refused("neither brz nor bzr is installed on the master")
        # Beside it is the Python that it was installed for; first in PATH may be that of the master's own environment.
        path = os.pathsep.join([os.path.dirname(program), os.environ.get("PATH", os.defpath)])
        return (yield called(self, [program, *arguments], env={**environment, "PATH": path}))


class Refused(Exception):
    """A client of a version control system failed, for this reason."""


@defer.inlineCallbacks
def called(poller: ReconfigurablePollingChangeSource, command: List[str], **how: Any) -> Any:
    """What a client said on its standard output."""
    code, out, err = yield run_process(poller.master.reactor, command, runtime_timeout=600, **how)
    if code != 0:
        lines = err.decode("utf-8", "replace").strip().splitlines() or [f"exit status {code}"]
        raise Refused(f"{os.path.basename(command[0])} {command[1]}: {lines[-1]}")
    return str(out.decode("utf-8", "replace")).strip()


def bzr_entries(said: str) -> List[List[str]]:
    """The entries of a log. What people wrote is indented in it, so no line of theirs begins one."""
    entries: List[List[str]] = []
    for line in said.split("\n"):
        if line.startswith("-----"):
            entries.append([])
        elif entries:
            entries[-1].append(line)
    return entries


def bzr_change(lines: List[str]) -> Dict[str, Any]:
    """A change, as the master takes it."""
    head: Dict[str, str] = {}
    body: Dict[str, List[str]] = {}
    name = ""
    for line in lines:
        if line.startswith("  "):
            body.setdefault(name, []).append(line[2:])
        else:
            name, _, value = line.partition(":")
            head[name] = value.strip()
    touched = [path for part in ("added", "modified", "removed", "renamed", "kind changed") for path in body.get(part, [])]
    return {
        "revision": f"{head.get('revno', '').split(' ')[0]} {head.get('revision-id', '')}",
        "author": head.get("author") or head.get("authors") or head.get("committer") or "unknown",
        "comments": "\n".join(body.get("message", [])).strip(),
        # A file's identifier follows its path.
        "files": [path.rstrip().rpartition(" ")[0].rstrip() or path for path in touched],
    }


def write_private(path: str, text: str) -> None:
    """Writes a file that nobody else can read, not even for a moment."""
    with open(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def quoted(text: str) -> str:
    """A value as Bazaar's configuration files have it: they know no escapes."""
    mark = next((mark for mark in ('"', "'") if mark not in text), '"""')
    return f"{mark}{text}{mark}"


def short(name: str, most: int = 128) -> str:
    """A name that fits into the column that Buildbot's database has for names, whatever engine it is."""
    return name if len(name) <= most else f"{name[:most - 9]}-{digest(name)}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def identifier(name: str) -> str:
    """As much of a name as a ForceScheduler's may have of it, with no dots and no blanks, and what keeps it apart from others."""
    return name if ident_re.match(f"-{name}") else f"{re.sub('[^a-zA-Z0-9_-]', '_', name)}-{digest(name)}"


class GivenParameter(StringParameter):  # type: ignore[misc]
    """A property of a forced build. Where nothing is given the build has no such property: an empty one would stand in the way
    of the worker's and of defaults."""

    def updateFromKwargs(self, properties: Dict[str, Any], kwargs: Dict[str, Any], collector: Any, **unused: Any) -> None:
        value = self.getFromKwargs(kwargs)
        if value:
            properties[self.name] = value


@implementer(ICredentialsChecker)
class HookLogin(BuildbotService):  # type: ignore[misc]
    """Who may tell of changes over the web. Being a service it asks for the password when somebody logs in, as workers'
    logins do, wherever the master keeps its secrets."""

    name = "farmout-change-hook"
    credentialInterfaces = (IUsernamePassword,)

    def checkConfig(self, password: Password) -> None:
        pass

    def reconfigService(self, password: Password) -> Any:
        self.password = password
        return defer.succeed(None)

    @defer.inlineCallbacks
    def requestAvatarId(self, credentials: Any) -> Any:
        password = yield self.renderSecrets(self.password)
        right = hmac.compare_digest(credentials.password, password.encode())
        if credentials.username != TELLER.encode() or not right:
            raise UnauthorizedLogin()
        return TELLER.encode()


class FarmSecrets(SecretInAFile):  # type: ignore[misc]
    """Secrets in files, each read when it is asked for: Buildbot's own provider reads all of them when the master starts, and
    knows none that a reconfiguration brings."""

    # No two providers may have one name, and the master may have one of Buildbot's.
    name = "farmout-secrets"

    def reconfigService(self, directory: str) -> Any:
        self.path = directory
        return defer.succeed(None)

    def get(self, entry: str) -> Optional[str]:
        path = os.path.join(self.path, entry)
        if os.path.dirname(entry) or not os.path.isfile(path):
            return None
        self.checkFileIsReadOnly(self.path, entry)
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")


class Password(Secret):  # type: ignore[misc]
    """A password that somebody logs in with. As long as its file is empty, nobody can."""

    @defer.inlineCallbacks
    def getRenderingFor(self, properties: Any) -> Any:
        password = yield super().getRenderingFor(properties)
        return password or token_hex()


def codebase(branch: BranchData) -> str:
    """What a repository is called as a codebase."""
    return short(branch.place.removeprefix("//"), 256)


# ---------------------------------------------------------------------------------------------------------- the farm


class Farm:
    """A farm for a master. Each method makes one kind of thing from the farm's data; override those that you want
    otherwise, and call `super()` for what you only change."""

    def __init__(
        self,
        directory: Union[str, Path, None] = None,
        *,
        program: Optional[str] = None,
        retries: int = 0,
        poll: Optional[int] = 300,
        change_hook: Optional[str] = None,
        sendchange: Optional[str] = None,
        codebases: bool = False,
    ) -> None:
        """Reads farm.json.

        directory: the master's, in which farm.json and secrets/ are; that of this file if it is not given.
        program: the farmout that workers get which have none; the one on PATH if it is not given.
        retries: how many times a step is tried again that failed for reasons that have nothing to do with the build.
        poll: how often watched repositories are looked at, in seconds; None leaves changes to hooks.
        change_hook, sendchange: the names of the secrets with the passwords of those who tell of changes, to the web pages'
            change hook and on the workers' port.
        codebases: whether each repository is a codebase, so that a build shows what came from each.
        """
        self.directory = Path(directory or Path(__file__).parent)
        self.program = program or shutil.which("farmout")
        self.retries = retries
        self.poll = poll
        self.change_hook = change_hook
        self.sendchange = sendchange
        self.codebases = codebases
        self.locks: Dict[str, Any] = {}
        data = self._read()
        self.version: str = data["farmout"]
        self.workers = {name: WorkerData(name=name, **worker) for name, worker in data["workers"].items()}
        self.files: Dict[str, str] = data["files"]
        self.secrets: List[str] = data["secrets"]
        settings = [Setting(**setting) for setting in data["settings"]]
        offers = [{worker: settings[number] for worker, number in offer.items()} for offer in data["offers"]]
        steps = [StepData(**step) for step in data["steps"]]
        procedures = [
            {"steps": [steps[number] for number in procedure["steps"]], "files": procedure.get("files", [])}
            for procedure in data["procedures"]
        ]
        self.builders: Dict[str, BuilderData] = {}
        for builder in data["builders"]:
            builder["settings"] = offers[builder.pop("offers")]
            self.builders[builder["name"]] = BuilderData(**builder, **procedures[builder["procedure"]])
        for branch in data["branches"]:
            branch["other_places"] = tuple(branch.get("other_places", ()))
        branches = [BranchData(**branch) for branch in data["branches"]]
        self.branches = branches

        def builds(name: str) -> Dict[str, BuildData]:
            watched = ({**build, "watch": [branches[i] for i in build["watch"]]} for build in data.get(name, ()))
            return {build["name"]: BuildData(**build) for build in watched}

        self.builds = builds("builds")
        # Of several masters, the first has the web pages, from which people start the builds of all.
        self.number: int = data.get("master", {}).get("number", 1)
        self.elsewhere = builds("elsewhere")
        self._steps: Dict[int, List[Any]] = {}
        self._directories = {builder.directory: builder.name for builder in self.builders.values()}

    def _read(self) -> Dict[str, Any]:
        path = self.directory / "farm.json"
        try:
            data: Dict[str, Any] = json.loads(path.read_bytes())
        except (OSError, ValueError) as problem:
            how = f"write it with `farmout render buildbot -o {self.directory}`"
            error(f"{path} cannot be read: {problem}; {how}", always_raise=True)
        if data.get("farmout_farm") != FORMAT:
            error(
                f"{path} is of format {data.get('farmout_farm')} and farm.py reads format {FORMAT}: render both with the "
                "same farmout, and restart the master, which never reads a module again",
                always_raise=True,
            )
        return data

    # What is looked up while a build runs.

    def place(self, builder: str, worker: str) -> Place:
        """A builder on a worker."""
        data = self.builders[builder]
        return Place(data, self.workers[worker], data.settings[worker])

    def texts(self, place: Place) -> Iterable[Text]:
        """All texts of a builder's steps on a worker."""
        setting = place.setting
        yield from (*setting.path, *setting.environment.values(), *setting.values.values())
        for step in filter(place.has, place.builder.steps):
            yield from (*step.run, step.directory, *step.environment.values(), *step.follow)

    def aftermath(self, directory: str, worker: WorkerData) -> List[Any]:
        """The steps that clean up after a build which was cut off, by another build on the same worker."""
        builder = self.builders.get(self._directories.get(directory, ""))
        steps: List[Any] = []
        if builder is not None and worker.name in builder.settings:
            for step in (step for step in builder.steps if step.always_run):
                name = f"{step.name} of {builder.name}"[:50]
                steps.append(PlanStep(self, step, builder=builder.name, name=name))
        return [*steps, WorkspaceEnd(self, directory, name=f"end of {directory}"[:50])]

    # What is made of the data.

    def worker(self, worker: WorkerData) -> Any:
        """A worker."""
        return Worker(
            worker.name,
            Password(worker.password),
            max_builds=worker.max_builds,
            notify_on_missing=list(worker.notify_on_missing),
            properties=dict(worker.properties),
        )

    def builder(self, builder: BuilderData) -> BuilderConfig:
        """A builder."""
        return BuilderConfig(
            name=builder.name,
            workernames=list(builder.settings),
            builddir=builder.directory,
            workerbuilddir=builder.directory,
            tags=[tag for tag in dict.fromkeys((builder.category, builder.build)) if tag],
            properties=dict(builder.properties),
            factory=self.factory(builder),
            nextWorker=self.next_worker,
        )

    def leaving(self) -> List[BuilderConfig]:
        """Builders that this farm has no more and that still build. Buildbot would cut their builds off and wait for them for
        ever, with the locks that they hold; so they stay until the next reconfiguration, and get nothing new to do."""
        stay = []
        for builder in AT_WORK:
            if builder.name in self.builders or not builder.building or builder.master is None:
                continue
            workers = [name for name in builder.config.workernames if name in self.workers]
            if any(build.getWorkerName() in workers for build in builder.building):
                config = copy.copy(builder.config)
                config.workernames = workers
                config.canStartBuild = lambda *_: False
                stay.append(config)
        return sorted(stay, key=lambda config: str(config.name))

    def factory(self, builder: BuilderData) -> BuildFactory:
        """What a builder does: the farm's own steps around those of its plan. Builders whose plans are alike share steps, but
        each has a factory of its own, to which more can be added."""
        steps = self._steps.get(builder.procedure)
        if steps is None:
            steps = [GetFarmout(self), Workspace(self), *self.steps(builder), WorkspaceEnd(self)]
            self._steps[builder.procedure] = steps = BuildFactory(steps).steps
        factory = BuildFactory()
        factory.steps = list(steps)
        return factory

    def steps(self, builder: BuilderData) -> List[Any]:
        """The steps of a plan, for all builders that have the same ones."""
        return [self.step(step) for step in builder.steps]

    def step(self, step: StepData, kind: Callable[..., Any] = PlanStep, **kwargs: Any) -> Any:
        """A step of a plan: of a kind of your own, or with other arguments of BuildStep."""
        locks = [self.lock(step.lock).access("exclusive")] if step.lock else []
        return kind(self, step, **{"locks": locks, **kwargs})

    def lock(self, name: str) -> Any:
        """A lock that one step at a time holds on a worker, whichever builder it is of."""
        return self.locks.setdefault(name, WorkerLock(name, maxCount=1))

    def next_worker(self, builder: Any, workers: Sequence[Any], request: Any) -> Any:
        """The worker that takes a build: of the highest priority; of several such, the least busy one."""

        def rank(candidate: Any) -> Any:
            worker = candidate.worker
            data = self.workers.get(worker.workername)
            busy = sum(1 for other in worker.workerforbuilders.values() if other.isBusy())
            return (-(data.priority if data else 0), busy, worker.workername)

        return min(workers, key=rank) if workers else None

    def secret_providers(self) -> List[Any]:
        """Where secrets are: a file for each, which only the master can read."""
        return [FarmSecrets(str(self.directory / "secrets"))]

    # What starts builds.

    def schedulers(self) -> List[Any]:
        """Of each build the one that waits for its changes, if it watches anything, and the one for people. Of several masters, the
        one with the web pages has the latter for the builds of all: those pages know of no other master's."""
        watching = [self.watch_scheduler(build) for build in self.builds.values() if build.watch]
        return watching + [self.force_scheduler(build) for build in self.all_builds() if self.number == 1]

    def all_builds(self) -> List[BuildData]:
        """The builds of all masters."""
        return [*self.builds.values(), *self.elsewhere.values()]

    def watch_scheduler(self, build: BuildData) -> Any:
        """What waits until all that a build watches is quiet. No ForceScheduler can have a name like this one's."""
        return WatchScheduler(
            name=short(f"changes: {build.name}"),
            builderNames=list(build.builders),
            treeStableTimer=build.tree_stable_timer,
            change_filter=WatchFilter(build.watch),
            codebases=self.codebases_of(build),
            reason=f"changes for {build.name}".replace("%", "%%"),
        )

    def force_scheduler(self, build: BuildData) -> Any:
        """What people start a build with. The plan says what is fetched, and asks nobody."""
        fields = {"branch": "", "revision": "", "repository": "", "project": ""}
        sources = self.codebases_of(build).items()
        return ForceScheduler(
            name=short(f"force-{identifier(build.name)}"),
            builderNames=list(build.builders),
            label=f"Force {build.name}",
            buttonName="Force",
            codebases=[CodebaseParameter(name, label="", **{**fields, **source}) for name, source in sources],
            username=UserNameParameter(label="Who", need_email=False),
            reason=StringParameter("reason", label="Why", size=60),
            properties=[
                GivenParameter(wanted["name"], label=wanted["name"], required=wanted["required"], size=40)
                for wanted in build.properties
            ],
        )

    def codebases_of(self, build: BuildData) -> Dict[str, Dict[str, Optional[str]]]:
        """The sources that a build shows: one for each repository, or one for all."""
        if not self.codebases or not build.watch:
            return {"": {}}
        return {codebase(branch): {"repository": branch.url, "branch": branch.branch} for branch in build.watch}

    def codebase_of(self) -> Callable[[Mapping[str, Any]], str]:
        """What finds the codebase of a change. Changes in repositories that are not the farm's stay in the one for all."""
        known = {at: codebase(branch) for branch in self.branches for at in places(branch)}

        def find(change: Mapping[str, Any]) -> str:
            told = addresses(change["properties"].get(PLACES, [None])[0], change["repository"])
            return next((known[at] for at in told if at in known), "")

        return find

    def change_sources(self) -> List[Any]:
        """A poller for each repository, and who listens on the workers' port. Of several masters, each has the pollers of all; one of
        them polls, and another one if that is stopped."""
        repositories: Dict[Tuple[str, str], Dict[BranchData, None]] = {}
        for build in self.all_builds():
            for branch in build.watch:
                repositories.setdefault((branch.vcs, branch.url), {})[branch] = None
        sources: List[Any] = []
        if self.poll is not None:
            sources += [self.poller(list(branches), self.poll) for branches in repositories.values()]
        if self.sendchange is not None and self.number == 1:
            sources.append(PBChangeSource(TELLER, Password(self.sendchange), name="farmout-sendchange"))
        return sources

    def poller(self, branches: Sequence[BranchData], seconds: int) -> Any:
        """The poller of a repository of which these branches are watched. Pollers do not all look at the same moment, and each
        has a directory of its own."""
        vcs, url, login = branches[0].vcs, branches[0].url, Login.of(branches[0].secret)
        how: Dict[str, Any] = {"pollInterval": seconds, "pollRandomDelayMax": seconds // 2, "pollAtLaunch": True}
        how["name"] = short(f"{vcs} {url}")
        if vcs == "bzr":
            return BzrPoller(url, login=login, **how)
        place = re.sub(r"[^a-zA-Z0-9_.-]+", "-", url).strip("-.")
        how["workdir"] = f"pollers/{vcs}-{place[-60:]}-{digest(url)}"
        how["branches"] = sorted(str(branch.branch) for branch in branches)
        if vcs == "hg":
            return WatchedHg(url, login=login, **how)
        return WatchedGit(url, auth_credentials=login, buildPushesWithNoCommits=True, **how)

    def take_changes(self, c: Dict[str, Any]) -> None:
        """Opens the change hook of the master's web pages, if that is wanted, to those who know its password."""
        if self.codebases:
            c["codebaseGenerator"] = self.codebase_of()
        if self.change_hook is not None and self.number == 1:
            www = c.setdefault("www", {})
            if "change_hook_auth" in www:
                error("the farm's change_hook and c['www']['change_hook_auth'] exclude each other: leave one of them out")
            www["change_hook_dialects"] = {"base": True, **www.get("change_hook_dialects", {})}
            www["change_hook_auth"] = [HookLogin(Password(self.change_hook))]
            c.setdefault("services", []).extend(www["change_hook_auth"])

    # What goes into the master's configuration.

    def configure(self, c: Dict[str, Any]) -> None:
        """Adds everything to a master's configuration."""
        for key, things in (
            ("secretsProviders", self.secret_providers()),
            ("workers", [self.worker(worker) for worker in self.workers.values()]),
            ("builders", [self.builder(builder) for builder in self.builders.values()]),
            ("schedulers", self.schedulers()),
            ("change_source", self.change_sources()),
        ):
            c.setdefault(key, []).extend(things)
        leaving = self.leaving()
        if leaving:
            c["builders"] += leaving
            # Buildbot wants one for each builder; nobody triggers this one.
            c["schedulers"].append(Triggerable("farmout leaving", [builder.name for builder in leaving]))
        self.take_changes(c)


def configure(c: Dict[str, Any], farm: Callable[..., Farm] = Farm, **options: Any) -> Farm:
    """Adds a farm to a master's configuration; see `Farm` for the options."""
    made = farm(**options)
    made.configure(c)
    return made
