"""What a master's configuration comes to: in, a copy of a master's directory; out, JSON that src/master/loaded.rs reads.

Buildbot's own loader loads it, as `buildbot checkconfig` does. The loader's errors have no place: here they get the line of
master.cfg that they come from.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import sys
import types
from typing import Any, Callable, Dict, List, NoReturn, Optional, Tuple

HERE = os.path.dirname(os.path.realpath(__file__))
# Python's own first entry may be missing: PYTHONSAFEPATH.
sys.path.insert(0, HERE)

import farmout_rules
import farmout_steps
from buildbot import version
from buildbot.config import master as loader
from buildbot.config.builder import BuilderConfig
from buildbot.config.errors import ConfigErrors
from buildbot.process.buildstep import _BuildStepFactory
from buildbot.scripts.base import getConfigFileFromTac
from buildbot.secrets.providers.file import SecretInAFile
from buildbot.util.service import BuildbotService

Place = Dict[str, Any]
"""A file of the master's directory and a line of it."""


class Ended(BaseException):
    """The configuration would end Buildbot, or takes too long."""


class Places:
    """Where in the admin's files things were made."""

    def __init__(self, directory: str, real: str) -> None:
        self.directory = directory
        self.real = real
        self.files: Dict[str, Optional[str]] = {}
        self.config = "master.cfg"
        self.made: Dict[int, Tuple[Any, Optional[Place], bool]] = {}
        self.named: Dict[str, Place] = {}
        self.told: Dict[str, Tuple[str, Optional[Place]]] = {}
        self.folders: Dict[int, Dict[str, Any]] = {}

    def file(self, path: str) -> Optional[str]:
        """The name of one of the master's files. Those that a search path names are not the copy's, but the master's own."""
        if path not in self.files:
            whole = os.path.join(self.directory, path)
            homes = ((whole, self.directory), (os.path.realpath(whole), self.real))
            found = (os.path.relpath(file, home) for file, home in homes if file.startswith(home + os.sep))
            self.files[path] = next(found, None)
        return self.files[path]

    def of_frame(self, frame: Optional[types.FrameType]) -> Tuple[Optional[Place], bool]:
        """The innermost line of the admin's files; and whether farm.py is further in, so that the farm made it."""
        farm = False
        while frame is not None:
            name = self.file(frame.f_code.co_filename)
            if name == "farm.py":
                farm = True
            elif name is not None:
                return {"file": name, "line": frame.f_lineno}, farm
            frame = frame.f_back
        return None, farm

    def of_exception(self, problem: BaseException) -> Optional[Place]:
        """The innermost line of the admin's files that an exception came through."""
        if isinstance(problem, SyntaxError):
            name = self.file(problem.filename or "")
            return {"file": name, "line": problem.lineno or 1} if name else None
        found, trace = None, problem.__traceback__
        while trace is not None:
            name = self.file(trace.tb_frame.f_code.co_filename)
            if name is not None and name != "farm.py":
                found = {"file": name, "line": trace.tb_lineno}
            trace = trace.tb_next
        return found

    def of(self, thing: Any) -> Optional[Place]:
        """Where a thing was made, if the admin made it."""
        _, place, farm = self.made.get(id(thing), (None, None, False))
        return None if farm else place

    def is_farm(self, thing: Any) -> bool:
        """Whether farm.py made it."""
        return self.made.get(id(thing), (None, None, False))[2]

    def watch(self, kind: Any) -> None:
        """Has a class's things remembered."""
        make: Callable[..., None] = kind.__init__

        def init(thing: Any, *args: Any, **kwargs: Any) -> None:
            place, farm = self.of_frame(sys._getframe(1))
            # The thing is kept, so that no other one ever gets its id.
            self.made[id(thing)] = (thing, place, farm)
            make(thing, *args, **kwargs)
            if place is not None and isinstance(getattr(thing, "name", None), str):
                self.named[thing.name] = place

        kind.__init__ = init

    def watch_errors(self) -> None:
        """Has the places of errors remembered."""
        make, add = ConfigErrors.__init__, ConfigErrors.addError

        def init(errors: Any, messages: Optional[List[str]] = None) -> None:
            make(errors, messages)
            for message in messages or ():
                self.tell(message, sys._getframe(1))

        def add_error(errors: Any, message: str) -> None:
            self.tell(message, sys._getframe(1))
            add(errors, message)

        ConfigErrors.__init__, ConfigErrors.addError = init, add_error

    def watch_folders(self, look: bool) -> None:
        """Has the directories of secrets remembered; and nothing in them looked for, if secrets are left out."""
        check = SecretInAFile.checkConfig

        def check_config(provider: Any, dirname: Any, suffixes: Optional[List[str]] = None, strip: bool = True) -> None:
            path = os.path.abspath(os.path.expanduser(str(dirname)))
            there = os.path.isdir(path)
            self.folders[id(provider)] = {
                "directory": path, "given": str(dirname), "suffixes": suffixes or [""], "strip": bool(strip), "there": there,
            }  # fmt: skip
            check(provider, dirname, suffixes, strip)

        SecretInAFile.checkConfig = check_config
        if not look:
            SecretInAFile.checkSecretDirectoryIsAvailableAndReadable = lambda *_, **__: None
            SecretInAFile.loadSecrets = lambda *_, **__: {}

    def keepers(self, config: Any, refused: bool) -> Optional[Dict[str, Any]]:
        """What keeps secrets, if it is known."""
        providers = config.secretsProviders
        if refused and not providers:
            # It did not come to the list.
            providers = [thing for thing, _, _ in self.made.values() if id(thing) in self.folders]
            if not providers:
                return None
        others = {type(provider).__name__ for provider in providers if id(provider) not in self.folders}
        folders = [self.folders[id(provider)] for provider in providers if id(provider) in self.folders]
        return {"folders": folders, "others": sorted(others)}

    def nodes(self) -> List[ast.AST]:
        """What master.cfg is made of."""
        try:
            with open(os.path.join(self.directory, self.config), encoding="utf-8") as file:
                return list(ast.walk(ast.parse(file.read())))
        except (OSError, SyntaxError, ValueError):
            return []

    def strings(self) -> Dict[str, Place]:
        """Where a string stands in master.cfg, by itself."""
        strings = [node for node in self.nodes() if isinstance(node, ast.Constant)]
        return {str(node.value): {"file": self.config, "line": node.lineno} for node in reversed(strings)}

    def of_name(self, name: str) -> Optional[Place]:
        """Where a variable was set last in master.cfg."""
        lines = [
            node.lineno for node in self.nodes()
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        ]  # fmt: skip
        return {"file": self.config, "line": max(lines)} if lines else None

    def tell(self, message: str, frame: Optional[types.FrameType]) -> None:
        problem = sys.exc_info()[1]
        if problem is not None and not isinstance(problem, ConfigErrors) and "config file" in message:
            text = problem.msg if isinstance(problem, SyntaxError) else str(problem)
            self.told[message] = (f"{type(problem).__name__}: {text}", self.of_exception(problem))
            return
        place, _ = self.of_frame(frame)
        if place is None:
            words = re.findall(r"'([^']+)'", message) + re.findall(r"[^\s,]+", message)
            named = {**self.strings(), **self.named}
            place = next((named[word] for word in words if word in named), None)
        self.told.setdefault(message, (message, place))


class Partly:
    """As much of a configuration as there is where Buildbot refuses it."""

    def __init__(self, given: Dict[str, Any]) -> None:
        def things(key: str, kind: Any) -> List[Any]:
            found = given.get(key, [])
            found = found if isinstance(found, (list, tuple)) else [found]
            return [thing for thing in found if isinstance(thing, kind)]

        self.builders = things("builders", BuilderConfig)
        self.workers = things("workers", BuildbotService)
        self.schedulers = {scheduler.name: scheduler for scheduler in things("schedulers", BuildbotService)}
        self.change_sources = things("change_source", BuildbotService)
        self.secretsProviders = things("secretsProviders", BuildbotService)
        self.services = {service.name: service for service in things("services", BuildbotService)}
        self.db = [given.get("db"), given.get("db_url")]
        self.www = given["www"] if isinstance(given.get("www"), dict) else {}
        self.codebaseGenerator = given.get("codebaseGenerator")
        self.properties = given["properties"] if isinstance(given.get("properties"), dict) else {}


def hold(limit: float, limit_is: str) -> None:
    """Has it said where the configuration hangs, and where it would end this process without a word."""
    leave, own = os._exit, os.getpid()

    def ring(*_: Any) -> NoReturn:
        raise Ended(f"it was not through after {limit_is} (--timeout): what is done here takes too long")

    def end(status: int) -> NoReturn:
        if os.getpid() != own:
            leave(status)
        raise Ended(f"it ends Buildbot: os._exit({status!r})")

    os._exit = end
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit)


def load(directory: str, places: Places) -> Tuple[Any, List[Dict[str, Any]]]:
    """The configuration, or what there is of it, and what Buildbot has against it."""
    given: List[Dict[str, Any]] = []
    read = loader.loadConfigDict

    def keep(*args: Any) -> Any:
        name, found = read(*args)
        given.append(found)
        return name, found

    loader.loadConfigDict = keep
    try:
        places.config = getConfigFileFromTac(directory, quiet=True)
        return loader.FileLoader(directory, places.config).loadConfig(), []
    except SystemExit as problem:
        message = f"it ends Buildbot: sys.exit({problem.code!r})"
        return Partly({}), [{"message": message, "place": places.of_exception(problem)}]
    except Ended as problem:
        return Partly({}), [{"message": str(problem), "place": places.of_exception(problem)}]
    except ConfigErrors as problem:
        refused = []
        for message in dict.fromkeys(problem.errors):
            text, place = places.told.get(message, (message, None))
            refused.append({"message": text, "place": place})
        whole = given[0] if given and isinstance(given[0], dict) else {}
        return Partly(whole), refused
    except Exception as problem:
        if given and not isinstance(given[0], dict):
            message = f"BuildmasterConfig must be a dictionary, and is of the type {type(given[0]).__name__}"
            return Partly({}), [{"message": message, "place": places.of_name("BuildmasterConfig")}]
        refusal = {"message": f"{type(problem).__name__}: {problem}", "place": places.of_exception(problem)}
        return Partly(given[0] if given else {}), [refusal]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main(directory: str, request: str, result: str) -> None:
    """Loads the configuration, and writes down what is asked for."""
    with open(request, encoding="utf-8") as asked:
        wanted = json.load(asked)
    # What the admin imports is found in the master's directory, never beside this file.
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != HERE]
    os.chdir(directory)
    places = Places(directory, wanted["real"])
    if wanted["plain"]:
        write(result, farmout_steps.Steps(farmout_steps.plain(directory), places, wanted).answer())
        return
    for kind in (BuilderConfig, BuildbotService, _BuildStepFactory):
        places.watch(kind)
    places.watch_errors()
    places.watch_folders(wanted["secrets"])
    hold(wanted["limit"], wanted["limit_is"])
    config, refused = load(directory, places)
    rules = farmout_rules.Rules(config, places)
    answer = {
        "buildbot": version,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "refused": refused,
        "facts": rules.facts(),
        "secrets": sorted(rules.secrets),
        "keepers": places.keepers(config, bool(refused)),
        "builders": len(config.builders),
        "workers": len(config.workers),
        "schedulers": len(config.schedulers),
        "pollers": len(config.change_sources),
        **farmout_steps.Steps(config, places, wanted).answer(),
    }
    write(result, answer)


def write(result: str, answer: Dict[str, Any]) -> None:
    # What is no text, such as the name of a file, is told as well as it can be.
    with open(result, "w", encoding="utf-8", errors="replace") as written:
        json.dump(answer, written, ensure_ascii=False)


if __name__ == "__main__":
    main(*sys.argv[1:4])
