"""Which file a master's configuration is in: in, its buildbot.tac; out, JSON that src/master/tac.rs reads.

The file is read and not run: it would make a log in the master's directory, or anything else that its admin wrote.
"""

from __future__ import annotations

import ast
import json
import sys
from typing import Any, Dict


def said(path: str) -> Dict[str, Any]:
    """The name that it gives the file, if it says one outright; or what is wrong with it."""
    with open(path, "rb") as file:
        text = file.read()
    try:
        tree = ast.parse(text, path)
    except SyntaxError as problem:
        return {"problem": f"{type(problem).__name__}: {problem.msg}", "line": problem.lineno or 1}
    except ValueError as problem:
        return {"problem": f"{type(problem).__name__}: {problem}", "line": 1}
    found = None
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "configfile" for target in statement.targets
        ):
            value = statement.value
            found = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    return {"configfile": found}


if __name__ == "__main__":
    json.dump(said(sys.argv[1]), sys.stdout)
