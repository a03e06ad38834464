# What a Python says about itself: run with `-c` on 2.6 to today, conditions as a JSON list in the first argument.
import json, os, platform, re, sys


class Version(str):
    """A version in a marker: 3.9 is less than 3.11."""

    def key(self):
        return [int(part) for part in re.findall(r"\d+", str(self))]

    def __lt__(self, other):
        return self.key() < Version(other).key()

    def __le__(self, other):
        return self.key() <= Version(other).key()

    def __gt__(self, other):
        return self.key() > Version(other).key()

    def __ge__(self, other):
        return self.key() >= Version(other).key()


# The names that zc.buildout documents for the conditions of sections, and those of PEP 508.
names = {
    "sys": sys, "os": os, "platform": platform, "re": re,
    "python2": sys.version_info[0] == 2, "python3": sys.version_info[0] == 3,
    "sys_version": sys.version.lower(), "pypy": "pypy" in sys.version.lower(),
    "jython": "java" in sys.version.lower(), "ironpython": "iron" in sys.version.lower(),
    "cpython": "pypy" not in sys.version.lower(),
    "sys_platform": str(sys.platform).lower(), "linux": "linux" in sys.platform, "windows": False, "cygwin": False,
    "solaris": "sunos" in sys.platform, "macosx": "darwin" in sys.platform, "posix": "posix" in os.name.lower(),
    "bits32": sys.maxsize <= 2**32, "bits64": sys.maxsize > 2**32,
    "little_endian": sys.byteorder == "little", "big_endian": sys.byteorder == "big",
    "python_version": Version("%d.%d" % sys.version_info[:2]),
    "python_full_version": Version("%d.%d.%d" % sys.version_info[:3]),
    "platform_system": platform.system(), "platform_machine": platform.machine(), "os_name": os.name,
    "implementation_name": "pypy" if "pypy" in sys.version.lower() else "cpython",
}
for major, minors in ((2, range(4, 8)), (3, range(0, 30))):
    for minor in minors:
        names["python%d%d" % (major, minor)] = sys.version_info[:2] == (major, minor)


def holds(condition):
    try:
        return bool(eval("[" + condition.replace("\\x23", "#").replace("\\x3b", ";") + "]", dict(names))[0])
    except Exception:
        return False


def has(module):
    try:
        __import__(module)
        return True
    except ImportError:
        return False


print(json.dumps({
    "executable": sys.executable, "version": list(sys.version_info[:3]), "venv": has("venv") and has("ensurepip"),
    "conditions": [holds(condition) for condition in json.loads(sys.argv[1])],
}))
