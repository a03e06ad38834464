"""The steps of a master's builders as they would run on workers, in the words of plans: what only a run knows stays `${name}`.

They are made by the factories that Buildbot takes them from, so that what an admin has overridden shows.
"""

from __future__ import annotations

import importlib.util
import os
import posixpath
import sys
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from buildbot.locks import WorkerLock

FLAGS = ("haltOnFailure", "flunkOnFailure", "warnOnWarnings", "warnOnFailure", "flunkOnWarnings")
OUTCOMES: Dict[Tuple[bool, ...], str] = {
    (True, True, False, False, False): "halt",
    (False, True, False, False, False): "flunk",
    (False, False, True, False, False): "warn",
    (False, False, False, False, False): "ignore",
}
"""What a failure does, by the flags of a step of a plan."""

MOST = 3000
"""Of more builders on workers that all differ, not each one is shown."""


class Symbols:
    """Texts of farm.json as a plan has them."""

    def __init__(self, later: Iterable[str]) -> None:
        self.later = set(later)

    def is_later(self, name: str) -> bool:
        return name in self.later or name.startswith(("property.", "secret."))

    def fill(self, text: Any, lookup: Callable[[str], Any]) -> str:
        """The text with what does not depend on the run filled in, and the rest as it is written in plans."""
        filled: str = ""
        piece: Any
        for piece in [text] if isinstance(text, str) else text:
            part: str = self.literal(piece) if isinstance(piece, str) else self.placeholder(piece, lookup)
            # A `$` and a `{` that come together here were never written as the beginning of a placeholder.
            own = isinstance(piece, str) or not part.startswith("${")
            filled += "$" + part if own and filled.endswith("$") and part.startswith("{") else part
        return filled

    @staticmethod
    def literal(text: str) -> str:
        return text.replace("${", "$${")

    def placeholder(self, piece: Dict[str, Any], lookup: Callable[[str], Any]) -> str:
        name: str = piece["name"]
        default = piece.get("or")
        if self.is_later(name):
            return "${" + name + ("" if default is None else ":-" + self.fill(default, lookup)) + "}"
        value = lookup(name)
        if value is None or (value == "" and default is not None):
            if default is None:
                raise LookupError(f"nothing is known as ${{{name}}}")
            return self.fill(default, lookup)
        return self.fill(value, lookup)


class Group:
    """Builders on workers where the same is done in the same way."""

    def __init__(self, builder: str, worker: str, setting: Any) -> None:
        self.builder = builder
        self.worker = worker
        self.setting = setting
        self.count = 0

    def likeness(self) -> Tuple[Any, ...]:
        """All of a worker's part but the values themselves."""
        setting = self.setting
        values = tuple((name, bool(value), isinstance(value, str)) for name, value in setting.values.items())
        return (values, len(setting.path), tuple(setting.environment), tuple(setting.variants))


class Steps:
    """The steps of a configuration."""

    def __init__(self, config: Any, places: Any, wanted: Dict[str, Any]) -> None:
        self.config = config
        self.places = places
        self.wanted = wanted
        self.symbols = Symbols(wanted["later"])
        self.built: Dict[int, Any] = {}
        self.workers = {worker.name: worker for worker in config.workers}
        self.builders: Dict[str, Any] = {}
        for builder in config.builders:
            # Of two of one name, which Buildbot refuses, the farm's is compared.
            if builder.name not in self.builders or places.is_farm(builder):
                self.builders[builder.name] = builder
        # Beside its own classes, the master has those that the admin derived from them.
        self.module = next((module for module in list(sys.modules.values()) if self.is_farm(module)), None)

    def is_farm(self, module: Any) -> bool:
        file = getattr(module, "__file__", None) or ""
        return os.path.basename(file) == "farm.py" and self.places.file(file) == "farm.py"

    def answer(self) -> Dict[str, Any]:
        """What is asked for."""
        farm = self.farm()
        if farm is None:
            return {"farm": False, "lacking": [], "plans": []}
        lacking = [name for name in farm.builders if name not in self.builders]
        pairs = self.wanted["pairs"]
        found = [self.plan(farm, *pair) for pair in pairs] if pairs is not None else self.distinct(farm)
        return {"farm": True, "lacking": lacking, "plans": found}

    def farm(self) -> Any:
        """What configure() made, as the steps know it."""
        for builder in self.config.builders:
            for step in getattr(builder.factory, "steps", []):
                found = next((part for part in getattr(step, "args", ()) if self.is_a(type(part), "Farm")), None)
                if found is not None:
                    return found
        return None

    def is_a(self, kind: type, name: str) -> bool:
        return self.module is not None and issubclass(kind, getattr(self.module, name))

    def distinct(self, farm: Any) -> List[Dict[str, Any]]:
        """One builder on one worker for each way in which they can differ."""
        kinds: Dict[Any, int] = {}
        groups: Dict[Tuple[int, int], Group] = {}
        for name, data in farm.builders.items():
            builder = self.builders.get(name)
            if builder is None:
                continue
            own = (data.procedure, tuple(map(id, builder.factory.steps)), repr(builder.env))
            kind = kinds.setdefault(own, len(kinds))
            for worker, setting in data.settings.items():
                group = groups.setdefault((kind, id(setting)), Group(name, worker, setting))
                group.count += 1
        chosen = list(groups.values())
        if len(chosen) > MOST:
            # Texts are filled in alike whatever the values are: each way of doing a thing is taken once, and each value.
            fewer: Dict[Any, Group] = {}
            for (kind, setting), group in groups.items():
                alike = fewer.setdefault((kind, group.likeness()), group)
                one = fewer.setdefault(setting, alike if alike is group else group)
                if alike is not group and one is not group:
                    alike.count += group.count
            chosen = list({id(group): group for group in fewer.values()}.values())
        return [{**self.plan(farm, group.builder, group.worker), "count": group.count} for group in chosen]

    def plan(self, farm: Any, name: str, worker: str) -> Dict[str, Any]:
        """A builder on a worker, as the configuration has them."""
        builder, made = self.builders.get(name), self.workers.get(worker)
        if builder is None or made is None:
            return {"builder": name, "worker": worker, "there": False, "steps": []}
        return self.of_builder(farm, builder, made)

    def of_builder(self, farm: Any, builder: Any, made: Any) -> Dict[str, Any]:
        """A builder on a worker."""
        name, worker = builder.name, made.name
        place = farm.place(name, worker)
        data, setting = place.builder, place.setting
        texts = [*setting.path, *setting.environment.values()]
        for step in filter(place.has, data.steps):
            texts += [*step.run, step.directory, *step.environment.values(), *step.follow]
        properties = {key: value for key, (value, _) in made.properties.asDict().items() if key != "workername"}
        properties.update(builder.properties)
        return {
            "builder": name,
            "worker": worker,
            "there": worker in builder.workernames,
            "directory": builder.workerbuilddir,
            "database": place.value("database"),
            "properties": {key: str(value) for key, value in {**properties, **place.properties()}.items()},
            "secrets": sorted(place.secrets(texts)),
            "path": [self.symbols.fill(text, place.value) for text in setting.path],
            "environment": {key: self.symbols.fill(text, place.value) for key, text in setting.environment.items()},
            "files": [{"executable": False, **file} for file in data.files],
            "steps": self.steps(farm, builder.factory.steps, name, worker, builder.env),
        }

    def steps(self, farm: Any, factories: List[Any], name: str, worker: str, env: Any) -> List[Dict[str, Any]]:
        """The steps that there are on the worker."""
        place, found = farm.place(name, worker), []
        for factory in factories:
            step = self.built.get(id(factory))
            if step is None:
                step = self.built[id(factory)] = factory.buildStep()
            shown: Optional[Dict[str, Any]]
            if hasattr(step, "data") and hasattr(step, "variables"):
                shown = self.of_plan(step, place, env) if place.has(step.data) else None
            else:
                shown = self.other(step, factory)
            if shown is not None:
                found.append({**shown, "name": str(step.name), "place": self.places.of(factory)})
        return found

    def of_plan(self, step: Any, place: Any, env: Any) -> Dict[str, Any]:
        """A step of a plan."""
        kind, data = type(step), step.data
        owner: Any = next(base for base in kind.__mro__ if base.__name__ == "PlanStep")
        config = SimpleNamespace(env=env)
        step.build = SimpleNamespace(
            builder=SimpleNamespace(name=place.builder.name, config=config), buildid="0", path_module=posixpath,
            getWorkerName=lambda: place.worker.name,
        )  # fmt: skip
        step.getProperty, step.run_id = self.property, lambda: "${run}"
        step.text = lambda text: self.symbols.fill(text, place.value)
        problem = None
        try:
            run, directory, variables = step.command(), step.directory(), step.environment()
            follow = [step.text(text) for text in data.follow]
        except Exception as failed:
            problem, run, directory, variables, follow = f"{type(failed).__name__}: {failed}", [], "", {}, []
        path = variables.pop("PATH", [])
        path = [path] if isinstance(path, str) else list(path)
        variables.pop("FARMOUT_STEP", None)
        flags = tuple(bool(getattr(step, flag)) for flag in FLAGS)
        return {
            "kind": "plan",
            "class": kind.__name__,
            "problem": problem,
            "run": [str(word) for word in run],
            "write": data.write,
            "directory": str(directory),
            "path": [part for part in map(str, path) if part != "${PATH}"],
            "environment": {key: str(value) for key, value in variables.items() if value},
            "own": list(data.environment),
            "locks": ["one that is chosen later"] if hasattr(step.locks, "getRenderingFor") else [self.lock(access) for access in step.locks or ()],
            "on_failure": OUTCOMES.get(flags) or ", ".join(flag for flag, is_set in zip(FLAGS, flags) if is_set),
            "always_run": bool(step.alwaysRun),
            "wanted": step.doStepIf is owner.is_wanted is step.is_wanted.__func__,
            **{key: getattr(data, key) for key in DATA},
            "permanent": list(data.permanent),
            "follow": follow,
        }

    @staticmethod
    def property(name: str, default: Any = None) -> Any:
        """What a step that runs would know of its build."""
        known = {"basedir": "${basedir}", "farmout-environment": "{}"}
        return known.get(name, "${" + name + "}" if name in ("farmout", "tmp-dir", "socket-dir") else f"${{property.{name}}}")

    @staticmethod
    def lock(access: Any) -> str:
        """The name of the lock, if one step at a time holds it on a worker; else what is different."""
        lock = access.lockid
        usual = isinstance(lock, WorkerLock) and access.mode == "exclusive" and not lock.maxCountForWorker
        if usual and lock.maxCount == 1:
            return str(lock.name)
        return f"{lock.name} ({type(lock).__name__} for {lock.maxCount}, {access.mode})"

    @staticmethod
    def other(step: Any, factory: Any) -> Dict[str, Any]:
        """A step that is no plan's: farmout's own around plans, or an admin's."""
        command = getattr(factory, "kwargs", {}).get("command")
        if isinstance(command, str):
            run = ["sh", "-c", command]
        elif isinstance(command, (list, tuple)):
            run = [word if isinstance(word, str) else repr(word) for word in command]
        else:
            run = []
        flags = tuple(bool(getattr(step, flag)) for flag in FLAGS)
        return {
            "kind": "other",
            "class": type(step).__name__,
            "run": run,
            "on_failure": OUTCOMES.get((flags[0], flags[1], False, False, False), "halt"),
            "always_run": bool(step.alwaysRun),
        }


DATA = ("phase", "template", "help", "infrastructure", "idle_timeout", "timeout", "property", "keep")


def plain(directory: str) -> Any:
    """The configuration that farm.py makes if nobody changes anything."""
    spec = importlib.util.spec_from_file_location("farm", os.path.join(directory, "farm.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules["farm"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    farm = module.Farm(directory)
    builders = [farm.builder(builder) for builder in farm.builders.values()]
    return SimpleNamespace(builders=builders, workers=[farm.worker(worker) for worker in farm.workers.values()])
