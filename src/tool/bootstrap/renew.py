# Run with `-c` by the Python of a private environment: brings the zc.buildout and the setuptools that are installed in it up
# to how the world is now. Old versions ask the package index at an address that no longer answers, and before 2.2.2 zc.buildout
# reads user defaults at one place only, which a build has no say in.
import io
import os
import re
import sys

sys.path[:] = [path for path in sys.path if path]

import setuptools
import zc.buildout

HOME = r"os\.path\.join\(os\.path\.expanduser\('~'\),\s*'\.buildout', 'default\.cfg'\)"
WANTED = ("os.path.join(os.environ.get('BUILDOUT_HOME') or os.path.join(os.path.expanduser('~'), '.buildout'), "
          "'default.cfg')")


def renew(path, change):
    if not os.path.exists(path):
        return
    with io.open(path, encoding="utf-8") as file:
        old = file.read()
    new = change(old)
    if new != old:
        with io.open(path, "w", encoding="utf-8") as file:
            file.write(new)
        # Python trusts the time of a compiled file, to the second.
        if os.path.exists(path + "c"):
            os.remove(path + "c")
        print("Renewed " + path)


def index(text):
    return re.sub(r"https?://pypi\.python\.org/simple", u"https://pypi.org/simple", text)


def home(text):
    return text if "BUILDOUT_HOME" in text else re.sub(HOME, lambda _: u"" + WANTED, text)


buildout = os.path.dirname(zc.buildout.__file__)
renew(os.path.join(os.path.dirname(setuptools.__file__), "package_index.py"), index)
renew(os.path.join(buildout, "easy_install.py"), index)
renew(os.path.join(buildout, "buildout.py"), home)
