"""Which changes reach a master, and whether they reach those that wait for them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any, Dict, Iterable, List, Optional

from buildbot.changes.filter import ChangeFilter
from buildbot.process.properties import Properties
from buildbot.reporters.base import ReporterBase
from buildbot.util import NotABranch
from farmout_parts import Answer, arguments, foreign, names

# What changes have, for functions of a filter.
FUNCTIONS = ("filter_fn", "project_fn", "repository_fn", "branch_fn", "category_fn", "codebase_fn")

# Pollers whose changes have no properties.
BARE = {"GitPoller", "HgPoller", "SVNPoller", "P4Source", "BzrPoller"}


def is_poller(source: Any) -> bool:
    return any(name.endswith("Poller") for name in names(type(source)))


class Changes:
    """What brings changes to a configuration."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.sources: List[Any] = list(config.change_sources)
        self.hooks = bool((config.www or {}).get("change_hook_dialects"))

    def may_have(self, name: str) -> Answer:
        """Whether some change has a property of this name."""
        answers = [self.gives(source, name) for source in self.sources]
        return max([*answers, Answer.MAYBE if self.hooks else Answer.NO])

    @staticmethod
    def gives(source: Any, name: str) -> Answer:
        """Whether a source's changes have the property."""
        if not foreign(type(source)) and names(type(source)) & BARE:
            return Answer.NO
        options, base = arguments(source), getattr(source, "property_basename", None)
        if base is not None:
            # Pull requests have what they are asked for, and where they are.
            wanted = options.get(f"{base}_property_whitelist") or getattr(source, "external_property_whitelist", None) or []
            if name == "pullrequesturl" or name.startswith(f"{base}.") and any(fnmatchcase(name, part) for part in wanted):
                return Answer.YES
        # Whoever tells of a change may say anything.
        return Answer.MAYBE

    def reach(self, scheduler: Any, options: Dict[str, Any]) -> Optional[Answer]:
        """Whether the changes that a scheduler waits for ever come; none if it waits for none."""
        filters = self.filters(scheduler, options)
        if filters is None:
            return None
        if foreign(type(scheduler)) or self.hooks or self.comes_otherwise():
            return Answer.MAYBE
        return max((self.feeds(source, filters) for source in self.sources), default=Answer.NO)

    def comes_otherwise(self) -> bool:
        """Whether another master, or a service that is not Buildbot's, may bring changes."""
        services = [service for service in self.config.services.values() if foreign(type(service))]
        return bool(getattr(self.config, "multiMaster", False)) or any(
            not isinstance(service, ReporterBase) for service in services
        )

    def filters(self, scheduler: Any, options: Dict[str, Any]) -> Optional[List[Any]]:
        """Which changes a scheduler waits for, if it waits for any: those that all of these take."""
        if hasattr(scheduler, "getChangeFilter"):
            defaults = {"branch": NotABranch, "branches": NotABranch, "change_filter": None, "categories": None}
            chosen = {name: options.get(name, default) for name, default in defaults.items()}
            if not isinstance(chosen["branch"], str) and chosen["branch"] is not None:
                chosen["branch"] = NotABranch
            try:
                found = scheduler.getChangeFilter(**chosen)
            except Exception:
                return None
            return [found] if found else []
        if not options.get("onlyIfChanged"):
            return None
        found = options.get("change_filter")
        branch = options.get("branch")
        return [*([found] if found else []), *([ChangeFilter(branch=branch)] if isinstance(branch, str) else [])]

    def wants(self, scheduler: Any, options: Dict[str, Any]) -> List[str]:
        """The same in words."""
        filters = self.filters(scheduler, options) or []
        return [part.describe() for wanted in filters for part in getattr(wanted, "filters", [])]

    def feeds(self, source: Any, filters: Iterable[Any]) -> Answer:
        """Whether something brings a change that all filters take."""
        brought = self.brought(source)
        if brought is None:
            return Answer.MAYBE
        return min((self.takes(wanted, brought) for wanted in filters), default=Answer.YES)

    def brought(self, source: Any) -> Optional[Dict[str, List[Any]]]:
        """What is known of the changes that a poller brings, by their attributes; none if nothing is."""
        kinds = names(type(source))
        if foreign(type(source)) or not kinds & {"GitPoller", "HgPoller"}:
            return None
        options = arguments(source)
        branches = options.get("branches") or options.get("branch")
        branches = [branches] if isinstance(branches, str) else branches
        if "HgPoller" in kinds:
            branches = [*(branches or []), *(options.get("bookmarks") or [])] or ["default"]
        found: Dict[str, List[Any]] = {"project": [options.get("project") or ""]}
        if isinstance(options.get("repourl"), str):
            found["repository"] = [options["repourl"]]
        if isinstance(branches, (list, tuple)):
            found["branch"] = list(branches)
        if not self.config.codebaseGenerator:
            found["codebase"] = [""]
        return found

    @staticmethod
    def takes(wanted: Any, brought: Dict[str, List[Any]]) -> Answer:
        """Whether a filter takes a change of which this is known."""
        kind = type(wanted)
        owner = next((base for base in kind.__mro__ if "filter_change" in vars(base)), kind)
        if owner.__module__ == "farm":
            if "repository" not in brought or "branch" not in brought:
                return Answer.MAYBE
            changes = (
                SimpleNamespace(repository=brought["repository"][0], branch=branch, properties=Properties())
                for branch in brought["branch"]
            )
            return Answer.YES if any(map(wanted.filter_change, changes)) else Answer.NO
        if owner is not ChangeFilter:
            return Answer.MAYBE
        by_attribute: Dict[str, List[Any]] = {}
        for part in wanted.filters:
            by_attribute.setdefault(part.prop, []).append(part)
        answer = Answer.YES
        # What an admin's function makes of a change is not tried out: whatever it is called with would be made up.
        if wanted.property_filters or any(getattr(wanted, name, None) is not None for name in FUNCTIONS):
            answer = Answer.MAYBE
        for attribute, parts in by_attribute.items():
            if attribute not in brought:
                answer = Answer.MAYBE
            elif not any(all(part.is_matched(value) for part in parts) for value in brought[attribute]):
                return Answer.NO
        return answer
