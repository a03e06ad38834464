"""What `buildbot checkconfig` calls good and is not: facts for src/master/facts.rs, which has the words for them."""

from __future__ import annotations

import os
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from buildbot.process.properties import Interpolate, _SecretRenderer
from buildbot.secrets.providers.file import SecretInAFile
from farmout_changes import Changes, is_poller
from farmout_files import Written, shared
from farmout_parts import Answer, arguments, inside, is_rendered, names, of_step
from farmout_properties import Givers, Names, asked, asked_by, conditional, given_by

Fact = Dict[str, Any]


class Step(NamedTuple):
    """A step of one or several builders."""

    factory: Any
    arguments: Dict[str, Any]
    name: str
    asked: Set[str]
    given: Names


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


def is_empty(command: Any) -> bool:
    """Whether a command has no program."""
    first = command[0] if isinstance(command, (list, tuple)) and command else command
    return isinstance(first, (str, list, tuple)) and not first


class Rules:
    """A configuration, looked at."""

    def __init__(self, config: Any, places: Any) -> None:
        self.config = config
        self.places = places
        self.secrets: Set[str] = set()
        self.found: List[Fact] = []
        self.changes = Changes(config)
        self.known: Dict[int, Step] = {}
        for builder in config.builders:
            for factory in getattr(builder.factory, "steps", []):
                if id(factory) not in self.known and hasattr(factory, "kwargs"):
                    self.known[id(factory)] = self.look(factory)

    @staticmethod
    def look(factory: Any) -> Step:
        kind, options = factory.step_class, of_step(factory)
        name = options.get("name", getattr(kind, "name", None))
        name = name if isinstance(name, str) else str(kind.__name__)
        return Step(factory, options, name, asked_by(options), given_by(kind, options))

    def kinds(self) -> List[Tuple[type, Dict[str, Any]]]:
        """The classes of all steps, and their arguments."""
        return [(step.factory.step_class, step.arguments) for step in self.known.values()]

    def steps(self, builder: Any) -> List[Optional[Step]]:
        """A builder's steps; none where one is of a kind that is not known."""
        return [self.known.get(id(factory)) for factory in getattr(builder.factory, "steps", [])]

    def facts(self) -> List[Fact]:
        """All that there is to say."""
        self.workers()
        self.directories()
        self.builders()
        self.properties()
        self.schedulers()
        self.pollers()
        self.all_secrets()
        return self.found

    def fact(self, kind: str, thing: Any, **what: Any) -> None:
        self.found.append({"place": self.places.of(thing), "kind": kind, **what})

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
        mails = any("WorkerMissingGenerator" in names(type(part)) for part in parts)
        for worker in self.config.workers:
            if getattr(worker, "notify_on_missing", None) and not mails:
                self.fact("unheard-absence", worker, worker=worker.name, addresses=list(worker.notify_on_missing))

    # Builders and their steps.

    def directories(self) -> None:
        workers = {worker.name: worker for worker in self.config.workers}
        for found in shared(self.config.builders, workers):
            self.fact(
                "shared-directory", found.second, first=found.first.name, second=found.second.name, worker=found.worker,
                directory=found.second.workerbuilddir, together=found.together,
            )  # fmt: skip

    def builders(self) -> None:
        looked: Set[int] = set()
        written = Written(self.kinds())
        for builder in self.config.builders:
            self.environment(builder, builder.name, None, builder.env)
            for step in filter(None, self.steps(builder)):
                if id(step.factory) not in looked:
                    looked.add(id(step.factory))
                    self.step(builder, step, written)

    def step(self, builder: Any, step: Step, written: Written) -> None:
        where = {"builder": builder.name, "step": step.name}
        commands = step.arguments.get("commands")
        parts = [getattr(part, "command", None) for part in commands] if isinstance(commands, (list, tuple)) else []
        if any(is_empty(command) for command in [step.arguments.get("command"), *parts]):
            self.fact("empty-command", step.factory, **where)
        self.environment(step.factory, builder.name, step.name, step.arguments.get("env"))
        source = step.arguments.get("mastersrc")
        if isinstance(source, str) and "FileDownload" in names(step.factory.step_class):
            if not os.path.exists(os.path.expanduser(source)) and written.has(source) is Answer.NO:
                self.fact("missing-source", step.factory, path=source, **where)

    def environment(self, thing: Any, builder: str, step: Optional[str], env: Any) -> None:
        for name, value in env.items() if isinstance(env, dict) else ():
            fine = value is None or isinstance(value, (str, list, tuple)) or is_rendered(value)
            if not fine:
                self.fact("odd-environment", thing, builder=builder, step=step, name=str(name), value=repr(value))

    def properties(self) -> None:
        givers = Givers(self.config, self.changes, self.kinds())
        for builder in self.config.builders:
            steps, of_env = self.steps(builder), asked("env", builder.env)
            if not of_env and not any(step and step.asked for step in steps):
                continue
            told: Set[str] = set()
            has, anything = givers.of_builder(builder)
            for step in steps:
                if step is None:
                    anything = True
                    continue
                for name in [] if anything else sorted(step.asked - has - told):
                    answer = conditional(step.arguments, name)
                    verdict = (answer, "condition") if answer is not Answer.NO else givers.elsewhere(name)
                    self.undefined(step.factory, builder, step.name, name, *verdict)
                    told.add(name)
                has, anything = has | step.given[0], anything or step.given[1]
            # The environment is that of all steps: what the last one needs may be given by any before it.
            for name in [] if anything else sorted(of_env - has - told):
                self.undefined(builder, builder, None, name, *givers.elsewhere(name))

    def undefined(
        self, thing: Any, builder: Any, step: Optional[str], name: str, answer: Answer, doubt: Optional[str]
    ) -> None:
        if answer is not Answer.YES:
            doubt = doubt if answer is Answer.MAYBE else None
            self.fact("undefined-property", thing, builder=builder.name, step=step, name=name, doubt=doubt)

    # Schedulers and pollers.

    def schedulers(self) -> None:
        for scheduler in self.config.schedulers.values():
            options = arguments(scheduler)
            for name in ("treeStableTimer", "periodicBuildTimer"):
                value = options.get(name)
                number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
                if value is not None and not number and not is_rendered(value):
                    self.fact("odd-timer", scheduler, scheduler=scheduler.name, option=name, value=repr(value))
            if self.changes.reach(scheduler, options) is Answer.NO:
                wants = self.changes.wants(scheduler, options)
                pollers = len(self.config.change_sources)
                self.fact("never-fed", scheduler, scheduler=scheduler.name, wants=wants, pollers=pollers)

    def pollers(self) -> None:
        homes: Dict[str, Tuple[Any, str]] = {}
        polled: Dict[Tuple[str, str], Any] = {}
        for source in filter(is_poller, self.config.change_sources):
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
                git = all("GitPoller" in names(type(poller)) for poller in (other, source))
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
            for step in filter(None, self.steps(builder)):
                if id(step.factory) not in seen:
                    seen.add(id(step.factory))
                    ask(step.factory, f"the step `{step.name}` of {builder.name}", list(step.factory.args), step.arguments)
            ask(builder, f"the builder {builder.name}", builder.env, builder.properties)
        machines = getattr(self.config, "machines", [])
        for service in [*self.config.schedulers.values(), *self.config.services.values(), *machines]:
            ask(service, f"{type(service).__name__} {service.name}", arguments(service))
        for source in self.config.change_sources:
            # Some keep to themselves what they were made with.
            ask(source, f"{type(source).__name__} {source.name}", arguments(source), vars(source))
        ask(None, "www", self.config.www)
        ask(None, "the database", getattr(self.config, "db", None))
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
        named = self.places.strings()
        for name, (thing, who) in wanted.items():
            if name not in known:
                place, providers = self.places.of(thing) or named.get(name), len(self.config.secretsProviders)
                self.fact("missing-secret", thing, place=place, name=name, who=who, providers=providers)
