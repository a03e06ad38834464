"""What `buildbot checkconfig` calls good and is not: facts for src/master/facts.rs, which has the words for them."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, Dict, List, Optional, Set, Tuple

from buildbot.changes.filter import ChangeFilter
from buildbot.process.properties import Interpolate, Properties, _SecretRenderer
from buildbot.secrets.providers.file import SecretInAFile
from buildbot.util import NotABranch
from farmout_parts import arguments, inside
from farmout_properties import FLAGS, GIVEN, asked, given

Fact = Dict[str, Any]


def secrets(*things: Any) -> Set[str]:
    """The names of the secrets that a value asks for."""
    found = set()
    for part in inside(things):
        if isinstance(part, _SecretRenderer):
            found.add(part.secret_name)
        elif isinstance(part, Interpolate) and not part.args:
            keys = (key[len("secret:") :] for key in part.interpolations if key.startswith("secret:"))
            found |= {key.split(":", 1)[0] for key in keys}
    return found


class Rules:
    """A configuration, looked at."""

    def __init__(self, config: Any, places: Any) -> None:
        self.config = config
        self.places = places
        self.secrets: Set[str] = set()
        self.found: List[Fact] = []
        www = config.www or {}
        self.hooks = bool(www.get("change_hook_dialects")) or any(
            not self.is_poller(source) for source in config.change_sources
        )

    def facts(self) -> List[Fact]:
        """All that there is to say."""
        self.workers()
        self.builders()
        self.schedulers()
        self.pollers()
        self.all_secrets()
        return self.found

    def fact(self, kind: str, thing: Any, **what: Any) -> None:
        self.found.append({"kind": kind, "place": self.places.of(thing), **what})

    @staticmethod
    def is_poller(source: Any) -> bool:
        return any(kind.__name__.endswith("Poller") for kind in type(source).__mro__)

    # Workers.

    def workers(self) -> None:
        seen: Dict[str, Any] = {}
        for worker in self.config.workers:
            first = seen.setdefault(worker.name, worker)
            if first is not worker:
                own = worker if self.places.of(worker) else first
                farm = self.places.is_farm(first) or self.places.is_farm(worker)
                self.fact("doubled-worker", own, name=worker.name, farm=farm)
        parts = [part for service in self.config.services.values() for part in inside(arguments(service))]
        mails = any(type(part).__name__ == "WorkerMissingGenerator" for part in parts)
        for worker in self.config.workers:
            if getattr(worker, "notify_on_missing", None) and not mails:
                self.fact("unheard-absence", worker, worker=worker.name, addresses=list(worker.notify_on_missing))

    # Builders and their steps.

    def builders(self) -> None:
        workers = {worker.name: worker for worker in self.config.workers}
        directories: Dict[Tuple[str, str], Any] = {}
        told: Set[int] = set()
        for builder in self.config.builders:
            for worker in builder.workernames:
                other = directories.setdefault((worker, builder.workerbuilddir), builder)
                if other is not builder and id(builder) not in told:
                    told.add(id(builder))
                    self.fact(
                        "shared-directory", builder, first=other.name, second=builder.name, worker=worker,
                        directory=builder.workerbuilddir,
                    )  # fmt: skip
            self.environment(builder, builder.name, None, builder.env)
        looked: Set[int] = set()
        reads: Dict[int, Set[str]] = {}
        gives: Dict[int, Tuple[Set[str], bool]] = {}
        shared = self.by_schedulers()
        for builder in self.config.builders:
            steps = getattr(builder.factory, "steps", [])
            for step in steps:
                if id(step) not in looked and hasattr(step, "kwargs"):
                    looked.add(id(step))
                    self.step(builder, step)
                    gives[id(step)] = given(step)
                    read = (asked(name, value) for name, value in step.kwargs.items() if name not in FLAGS)
                    reads[id(step)] = set().union(*read)
            if not any(reads.get(id(step)) for step in steps):
                continue
            names, anything = self.of_builder(builder, workers, shared)
            for step in steps:
                for name in sorted(reads.get(id(step), set())):
                    if name not in names and not anything:
                        self.fact(
                            "undefined-property", step, builder=builder.name, step=self.name(step), name=name,
                            hooks=self.hooks,
                        )  # fmt: skip
                        names = names | {name}
                more, any_more = gives.get(id(step), (set(), True))
                names, anything = names | more, anything or any_more

    @staticmethod
    def name(step: Any) -> str:
        name = step.kwargs.get("name", getattr(step.step_class, "name", None))
        return name if isinstance(name, str) else str(step.step_class.__name__)

    def by_schedulers(self) -> Dict[str, Set[str]]:
        """The properties that schedulers give, by builder."""
        triggered: Set[str] = set()
        for builder in self.config.builders:
            for step in getattr(builder.factory, "steps", []):
                for key in ("set_properties", "copy_properties"):
                    triggered |= set(getattr(step, "kwargs", {}).get(key) or ())
        found: Dict[str, Set[str]] = {}
        for scheduler in self.config.schedulers.values():
            options = arguments(scheduler)
            names = set(triggered)
            for given_ones in (getattr(scheduler, "properties", None), options.get("properties")):
                if isinstance(given_ones, (dict, Properties)):
                    names |= set(given_ones.asDict() if isinstance(given_ones, Properties) else given_ones)
                elif isinstance(given_ones, (list, tuple)):
                    names |= {part.name for part in inside(list(given_ones)) if isinstance(getattr(part, "name", None), str)}
            builders = options.get("builderNames", ())
            for builder in builders if isinstance(builders, (list, tuple)) else ():
                if isinstance(builder, str):
                    found.setdefault(builder, set()).update(names)
            if not isinstance(builders, (list, tuple)):
                found.setdefault("", set()).update(names)
        return found

    def of_builder(self, builder: Any, workers: Dict[str, Any], shared: Dict[str, Set[str]]) -> Tuple[Set[str], bool]:
        """The properties that a build has when it begins."""
        names = GIVEN | set(builder.properties) | set(builder.defaultProperties) | shared.get(builder.name, set())
        names |= shared.get("", set())
        common = self.config.properties
        names |= set(common.asDict() if isinstance(common, Properties) else common)
        for worker in builder.workernames:
            properties = getattr(workers.get(worker), "properties", None)
            names |= set(properties.asDict()) if properties is not None else set()
        return names, False

    def step(self, builder: Any, step: Any) -> None:
        where = {"builder": builder.name, "step": self.name(step)}
        kinds = {kind.__name__ for kind in step.step_class.__mro__}
        if "command" in step.kwargs:
            command = step.kwargs["command"]
            first = command[0] if isinstance(command, (list, tuple)) and command else command
            if isinstance(first, (str, list, tuple)) and not first:
                self.fact("empty-command", step, **where)
        self.environment(step, builder.name, where["step"], step.kwargs.get("env"))
        source = step.kwargs.get("mastersrc")
        if isinstance(source, str) and kinds & {"FileDownload"} and not os.path.exists(os.path.expanduser(source)):
            self.fact("missing-source", step, path=source, **where)

    def environment(self, thing: Any, builder: str, step: Optional[str], env: Any) -> None:
        for name, value in env.items() if isinstance(env, dict) else ():
            fine = value is None or isinstance(value, (str, list, tuple)) or hasattr(value, "getRenderingFor")
            if not fine:
                self.fact("odd-environment", thing, builder=builder, step=step, name=str(name), value=repr(value))

    # Schedulers and pollers.

    def schedulers(self) -> None:
        for scheduler in self.config.schedulers.values():
            options = arguments(scheduler)
            for name in ("treeStableTimer", "periodicBuildTimer"):
                value = options.get(name)
                number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
                if value is not None and not number and not hasattr(value, "getRenderingFor"):
                    self.fact("odd-timer", scheduler, scheduler=scheduler.name, option=name, value=repr(value))
            wanted = self.filter(scheduler, options)
            if wanted is not None and not self.hooks and not any(self.feeds(source, wanted) for source in self.config.change_sources):
                wants = [part.describe() for part in getattr(wanted, "filters", [])]
                pollers = len(self.config.change_sources)
                self.fact("never-fed", scheduler, scheduler=scheduler.name, wants=wants, pollers=pollers)

    @staticmethod
    def filter(scheduler: Any, options: Dict[str, Any]) -> Any:
        """Which changes a scheduler waits for, if it waits for any."""
        if hasattr(scheduler, "getChangeFilter"):
            names = {"branch": NotABranch, "branches": NotABranch, "change_filter": None, "categories": None}
            chosen = {name: options.get(name, default) for name, default in names.items()}
            if not isinstance(chosen["branch"], str) and chosen["branch"] is not None:
                chosen["branch"] = NotABranch
            try:
                return scheduler.getChangeFilter(**chosen) or ChangeFilter()
            except Exception:
                return None
        return options.get("change_filter") if options.get("onlyIfChanged") else None

    def feeds(self, source: Any, wanted: Any) -> bool:
        """Whether a poller may bring a change that the filter takes."""
        options = arguments(source)
        repository = options.get("repourl", getattr(source, "repourl", None))
        branches = options.get("branches") or options.get("branch") or getattr(source, "branches", None)
        branches = [branches] if isinstance(branches, str) else branches
        if not isinstance(repository, str) or not isinstance(branches, (list, tuple)):
            return True
        for branch in branches:
            change = SimpleNamespace(
                repository=repository, branch=branch, project=options.get("project") or "",
                category=options.get("category"), codebase="", files=[], revision="", who="", comments="",
                properties=Properties(), revlink="",
            )  # fmt: skip
            try:
                if not isinstance(wanted, ChangeFilter) or self.config.codebaseGenerator or wanted.filter_change(change):
                    return True
            except Exception:
                return True
        return False

    def pollers(self) -> None:
        homes: Dict[str, Tuple[Any, str]] = {}
        polled: Dict[Tuple[str, str], Any] = {}
        for source in filter(self.is_poller, self.config.change_sources):
            options = arguments(source)
            repository = options.get("repourl", getattr(source, "repourl", None))
            workdir = options.get("workdir", getattr(source, "workdir", None))
            branches = options.get("branches") or options.get("branch")
            if not isinstance(repository, str):
                continue
            if isinstance(workdir, str):
                home = os.path.abspath(workdir)
                other, first = homes.setdefault(home, (source, repository))
                # Repositories of git may share one: what is fetched is kept apart by address.
                git = all("GitPoller" in {kind.__name__ for kind in type(poller).__mro__} for poller in (other, source))
                if first != repository and not git:
                    self.fact("shared-workdir", source, first=first, second=repository, directory=workdir)
            for branch in [branches] if isinstance(branches, str) else branches if isinstance(branches, list) else []:
                if polled.setdefault((repository, branch), source) is not source:
                    self.fact("polled-twice", source, repository=repository, branch=branch)

    # Secrets.

    def all_secrets(self) -> None:
        wanted: Dict[str, Tuple[Any, str]] = {}

        def ask(thing: Any, who: str, *values: Any) -> None:
            for name in secrets(*values):
                wanted.setdefault(name, (thing, who))

        for worker in self.config.workers:
            ask(worker, f"the worker {worker.name}", getattr(worker, "password", None))
        seen: Set[int] = set()
        for builder in self.config.builders:
            for step in getattr(builder.factory, "steps", []):
                if id(step) not in seen and hasattr(step, "kwargs"):
                    seen.add(id(step))
                    ask(step, f"the step `{self.name(step)}` of {builder.name}", list(step.args), step.kwargs)
            ask(builder, f"the builder {builder.name}", builder.env, builder.properties)
        others = [*self.config.schedulers.values(), *self.config.change_sources, *self.config.services.values()]
        for service in others:
            ask(service, f"{type(service).__name__} {service.name}", arguments(service))
        ask(None, "www", self.config.www)
        self.secrets = set(wanted)
        known: Set[str] = set()
        for provider in self.config.secretsProviders:
            if not isinstance(provider, SecretInAFile):
                # What others keep is not to be asked for here.
                return
            options = arguments(provider)
            try:
                known |= set(provider.loadSecrets(options["dirname"], options.get("suffixes") or [""], False))
            except (OSError, ValueError):
                return
        for name, (thing, who) in wanted.items():
            if name not in known:
                self.fact("missing-secret", thing, name=name, who=who, providers=len(self.config.secretsProviders))
