"""Which properties steps ask for, and who gives them."""

from __future__ import annotations

import inspect
import re
from typing import Any, Set, Tuple

from buildbot.process.properties import Interpolate, Property, WithProperties
from farmout_parts import constants, inside

# Properties that Buildbot itself gives every build.
GIVEN = {
    "basedir", "branch", "builddir", "builderid", "buildername", "buildnumber", "codebase", "got_revision", "owner",
    "owners", "parent_buildername", "parent_buildnumber", "project", "projectid", "projectname", "reason",
    "repository", "revision", "scheduler", "virtual_builder_name", "virtual_builder_project_id",
    "virtual_builder_tags", "warnings-count", "workdir", "worker_version", "workername",
}  # fmt: skip

# Arguments of steps for which a property without a value is as good as false.
FLAGS = {
    "alwaysRun", "description", "descriptionDone", "descriptionSuffix", "doStepIf", "flunkOnFailure",
    "flunkOnWarnings", "haltOnFailure", "hideStepIf", "warnOnFailure", "warnOnWarnings",
}  # fmt: skip

# Methods by which a step gives its build properties.
GIVERS = {"setProperty", "updateSourceProperty", "properties", "build_properties", "getProperties", "updateFromProperties"}


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
        elif isinstance(part, Property) and part.default is None and name in ("command", "env", "workdir"):
            found.add(part.key)
    return found


def given(step: Any) -> Tuple[Set[str], bool]:
    """The properties that a step may give its build, and whether that may be any."""
    names, kwargs = set(), step.kwargs
    for key in ("property", "variables", "properties"):
        value = kwargs.get(key)
        if isinstance(value, str):
            names.add(value)
        elif isinstance(value, (list, tuple, dict)):
            names |= {name for name in value if isinstance(name, str)}
        elif value is not None:
            return names, True
    if kwargs.get("extract_fn") is not None:
        return names, True
    for kind in step.step_class.__mro__:
        own = kind.__module__.startswith("buildbot.")
        for function in vars(kind).values():
            code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
            if code is not None and GIVERS & {*code.co_names, *constants(code)}:
                if not own:
                    # What the admin's steps, and those that are no part of Buildbot, do is theirs to know.
                    return names, True
                names |= set(constants(code))
    return names, False
