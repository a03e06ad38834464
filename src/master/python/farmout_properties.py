"""Which properties steps ask for, and who gives them."""

from __future__ import annotations

import functools
import re
from typing import Any, Dict, FrozenSet, Iterable, Optional, Set, Tuple

from buildbot.interfaces import ITriggerableScheduler
from buildbot.process.properties import Interpolate, Properties, Property, WithProperties
from buildbot.schedulers.forcesched import AnyPropertyParameter, BaseParameter, InheritBuildParameter
from buildbot.schedulers.trysched import TryBase
from buildbot.steps.trigger import Trigger
from farmout_changes import Changes
from farmout_parts import Answer, arguments, code_of, constants, foreign, inside, words

# Properties that Buildbot itself gives every build.
GIVEN = {
    "basedir", "branch", "builddir", "builderid", "buildername", "buildnumber", "codebase", "got_revision", "owner",
    "owners", "parent_buildername", "parent_buildnumber", "project", "projectid", "projectname", "reason",
    "repository", "revision", "scheduler", "virtual_builder_name", "virtual_builder_project_id",
    "virtual_builder_tags", "warnings-count", "workdir", "worker_version", "workername",
}  # fmt: skip

# Arguments of steps for which a property without a value is as good as false.
FLAGS = {
    "alwaysRun", "check", "description", "descriptionDone", "descriptionSuffix", "doStepIf", "flunkOnFailure",
    "flunkOnWarnings", "haltOnFailure", "hideStepIf", "warnOnFailure", "warnOnWarnings",
}  # fmt: skip

# Arguments of steps in which nothing may be without a value.
STRICT = ("command", "commands", "env", "workdir")

# Functions that give a build properties, and methods of steps that do.
SETTERS = {"setProperty", "updateSourceProperty", "updateFromProperties"}
GIVERS = {*SETTERS, "properties", "build_properties", "getProperties"}

# Methods of Trigger that say which properties the builds get that it starts.
TRIGGERS = ("createTriggerProperties", "getSchedulersAndProperties")

Names = Tuple[Set[str], bool]
"""Names of properties, and whether there may be any others."""


def asked(name: str, value: Any) -> Set[str]:
    """The names of the properties that an argument of a step cannot do without."""
    found: Set[str] = set()
    for part in inside(value):
        if isinstance(part, Interpolate) and not part.args:
            keys = [key[len("prop:") :] for key in part.interpolations if key.startswith("prop:")]
            found |= {key for key in keys if ":" not in key}
        elif isinstance(part, WithProperties):
            keys = [*part.args, *([] if part.args else re.findall(r"%\(([^)]*)\)", part.fmtstring))]
            found |= {key for key in keys if ":" not in key and key not in getattr(part, "lambda_subs", {})}
        elif isinstance(part, Property) and part.default is None and name in STRICT:
            found.add(part.key)
    return found


def asked_by(step: Dict[str, Any]) -> Set[str]:
    """The names of the properties that a step with these arguments cannot do without."""
    if step.get("doStepIf") is False:
        return set()
    return set().union(*(asked(name, value) for name, value in step.items() if name not in FLAGS))


def given_by(kind: type, step: Dict[str, Any]) -> Names:
    """The properties that a step of this class, with these arguments, may give its build."""
    names: Set[str] = set()
    for key in ("property", "variables", "properties"):
        value = step.get(key)
        if isinstance(value, str):
            names.add(value)
        elif isinstance(value, (list, tuple, dict)):
            names |= {name for name in value if isinstance(name, str)}
        elif value is not None:
            return names, True
    if step.get("extract_fn") is not None or any(SETTERS & words(part) for part in inside(step)):
        return names, True
    more, anything = given_by_kind(kind)
    return names | more, anything


@functools.lru_cache(maxsize=None)
def given_by_kind(kind: type) -> Tuple[FrozenSet[str], bool]:
    """The same, of all steps of a class."""
    names: Set[str] = set()
    for base in kind.__mro__:
        for function in vars(base).values():
            code = code_of(function)
            if code is not None and GIVERS & words(function):
                if not base.__module__.startswith("buildbot."):
                    # What the admin's steps, and those that are no part of Buildbot, do is theirs to know.
                    return frozenset(), True
                names |= set(constants(code))
    return frozenset(names), False


def may_give(*things: Any) -> bool:
    """Whether functions, or what classes that are not Buildbot's do, may give a build properties."""
    bases = [base for thing in things if isinstance(thing, type) for base in foreign(thing)]
    functions = [*things, *(function for base in bases for function in vars(base).values())]
    return any(SETTERS & words(function) for function in functions)


def as_names(properties: Any) -> Set[str]:
    return set(properties.asDict() if isinstance(properties, Properties) else properties or ())


def conditional(step: Dict[str, Any], name: str) -> Answer:
    """Whether a step with these arguments is only done if it has a property."""
    condition = step.get("doStepIf", True)
    if isinstance(condition, bool):
        return Answer.NO
    parts = list(inside(condition))
    keys = {part.key for part in parts if isinstance(part, Property)}.union(*(asked("", part) for part in parts))
    return Answer.YES if name in keys.union(*map(words, parts)) else Answer.MAYBE


class Givers:
    """Who gives properties in a configuration."""

    def __init__(self, config: Any, changes: Changes, steps: Iterable[Tuple[type, Dict[str, Any]]]) -> None:
        self.config = config
        self.changes = changes
        self.workers = {worker.name: worker for worker in config.workers}
        # By builder, and under "" for those whose scheduler does not say which.
        self.scheduled: Dict[str, Names] = {}
        self.triggered: Names = (set(), False)
        for kind, step in steps:
            self.trigger(kind, step)
        for scheduler in config.schedulers.values():
            self.schedule(scheduler)

    def trigger(self, kind: type, step: Dict[str, Any]) -> None:
        """Takes a step in, which may start other builds with properties."""
        names, anything = self.triggered
        for key in ("set_properties", "copy_properties"):
            value = step.get(key)
            names |= {name for name in value if isinstance(name, str)} if isinstance(value, (dict, list, tuple)) else set()
        own = issubclass(kind, Trigger) and any(getattr(kind, name) is not getattr(Trigger, name) for name in TRIGGERS)
        self.triggered = names, anything or own

    def schedule(self, scheduler: Any) -> None:
        """Takes a scheduler in."""
        options = arguments(scheduler)
        names, anything = set(self.triggered[0]), isinstance(scheduler, TryBase) or bool(foreign(type(scheduler)))
        anything |= self.triggered[1] and ITriggerableScheduler.providedBy(scheduler)
        for given in (getattr(scheduler, "properties", None), options.get("properties")):
            if isinstance(given, (dict, Properties)):
                names |= as_names(given)
        # What is asked of people.
        fields = [options.get(key) for key in ("properties", "codebases") if isinstance(options.get(key), (list, tuple))]
        for field in inside(fields):
            if isinstance(field, BaseParameter):
                names |= {field.name} if isinstance(getattr(field, "name", None), str) else set()
                own = {name for base in foreign(type(field)) for name in vars(base)}
                anything |= isinstance(field, (AnyPropertyParameter, InheritBuildParameter))
                anything |= bool(own & {"updateFromKwargs", "createSourcestamp"})
        builders = options.get("builderNames", ())
        named = [name for name in builders if isinstance(name, str)] if isinstance(builders, (list, tuple)) else [""]
        for name in named:
            known, more = self.scheduled.get(name, (set(), False))
            self.scheduled[name] = known | names, more or anything

    def of_builder(self, builder: Any) -> Names:
        """The properties that a build has when it begins."""
        names = GIVEN | set(builder.properties) | set(builder.defaultProperties) | as_names(self.config.properties)
        hooks = [getattr(builder, key, None) for key in ("nextWorker", "nextBuild", "canStartBuild", "do_build_if")]
        anything = may_give(*hooks, getattr(builder.factory, "buildClass", None))
        for key in (builder.name, ""):
            more, any_more = self.scheduled.get(key, (set(), False))
            names, anything = names | more, anything or any_more
        for worker in filter(None, map(self.workers.get, builder.workernames)):
            names |= as_names(getattr(worker, "properties", None)) | as_names(getattr(worker, "defaultProperties", None))
            anything |= may_give(type(worker))
        return names, anything

    def elsewhere(self, name: str) -> Tuple[Answer, Optional[str]]:
        """Whether a build may get a property from what is not in the configuration, and from what."""
        answer = self.changes.may_have(name)
        if answer is Answer.NO and getattr(self.config, "multiMaster", False):
            return Answer.MAYBE, "master"
        return answer, "change" if answer is Answer.MAYBE else None
