# What a Python can do for a bootstrap: run with `-c` on 2.6 to today.
import json, os, sys


def has(module):
    try:
        __import__(module)
        return True
    except Exception:
        return False


try:
    import sysconfig
    include = sysconfig.get_path("include")
except ImportError:
    from distutils import sysconfig
    include = sysconfig.get_python_inc()

print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "venv": has("venv") and has("ensurepip"),
    "pip": has("pip"),
    "virtualenv": hasattr(sys, "real_prefix") or getattr(sys, "base_prefix", sys.prefix) != sys.prefix,
    "header": os.path.join(include, "Python.h"),
    "headers": os.path.exists(os.path.join(include, "Python.h")),
    "missing": [name for name in ("ssl", "zlib", "hashlib", "pyexpat") if not has(name)],
}))
