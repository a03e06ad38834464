# What the Python of a build has, and what the scripts of its buildout use: run with `-c` on 2.6 to today, the buildout's
# directory in the first argument. Prints one line of JSON.
import json, os, re, sys

directory = sys.argv[1]


def distributions(path):
    """Name and version of each distribution at an entry of sys.path."""
    try:
        from importlib.metadata import distributions as find
        return [(found.metadata["Name"], found.version) for found in find(path=[path])]
    except ImportError:
        from pkg_resources import find_distributions
        return [(found.project_name, found.version) for found in find_distributions(path, True)]


# What buildout writes into a script: a list of paths, each on a line of its own. With relative paths, each is a
# join() with a base that is found in time.
entry = re.compile(r"""^\s*(?:join\(base, )?['"]([^'"]+)['"]\)?,\s*$""")
paths = []
scripts = os.path.join(directory, "bin")
for name in sorted(os.listdir(scripts)) if os.path.isdir(scripts) else []:
    path = os.path.join(scripts, name)
    if name == "buildout" or not os.path.isfile(path):
        continue
    with open(path, "rb") as script:
        text = script.read(1000000).decode("latin-1")
    for line in text.splitlines():
        match = entry.match(line)
        if match:
            found = os.path.normpath(os.path.join(directory, match.group(1)))
            if os.path.exists(found) and found not in paths:
                paths.append(found)

top, prefix = (os.path.realpath(place) + os.sep for place in (directory, sys.prefix))
eggs, develop, environment = {}, set(), {}
for path in paths + [path for path in sys.path if path]:
    real = os.path.realpath(path)
    for name, version in distributions(path):
        if real.startswith(prefix):
            environment.setdefault(name, version)
        elif path not in paths:
            pass  # A package of the system's Python that no script names.
        elif real.startswith(top) and not path.endswith(".egg"):
            develop.add(name)
        else:
            eggs.setdefault(name, version)

print(json.dumps({
    "python": "%d.%d.%d" % sys.version_info[:3], "environment": environment, "eggs": eggs, "develop": sorted(develop),
}, sort_keys=True))
