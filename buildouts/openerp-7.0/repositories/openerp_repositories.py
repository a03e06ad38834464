"""Git repositories of OpenERP 7.0, made from its packages on PyPI.

The recipe that installs OpenERP wants the sources in a version control
system, as everybody had them; the branches of that time are gone, and the
packages are left. From them come two repositories: "openerp", the server, and
"addons", a directory for each module.

Options of the part:

modules   the modules that are wanted; what they depend on comes along
release   the version of all packages

"location", where the repositories are, is set by the recipe. It is among the
downloads, which all builds share, so that the repositories are made once.
"""

import ast
import hashlib
import logging
import os
import shutil
import subprocess
import tarfile
import tempfile

import pkg_resources
import zc.buildout
from setuptools.package_index import PackageIndex

BRANCH = "7.0"
# With a fixed author and time, the same packages make the same revisions on
# every machine.
IDENTITY = {
    "GIT_AUTHOR_NAME": "OpenERP",
    "GIT_AUTHOR_EMAIL": "info@openerp.com",
    "GIT_AUTHOR_DATE": "2014-01-01T00:00:00 +0000",
    "GIT_COMMITTER_NAME": "OpenERP",
    "GIT_COMMITTER_EMAIL": "info@openerp.com",
    "GIT_COMMITTER_DATE": "2014-01-01T00:00:00 +0000",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class Recipe(object):

    def __init__(self, buildout, name, options):
        settings = buildout["buildout"]
        self.offline = settings.get("offline") == "true"
        self.index = settings.get("index") or "https://pypi.org/simple/"
        self.release = options["release"]
        self.modules = options["modules"].split()
        wanted = " ".join([self.release] + sorted(self.modules))
        shelf = (settings.get("openerp-downloads-directory")
                 or settings["parts-directory"])
        options["location"] = self.location = os.path.join(
            settings["directory"], shelf, "repositories-%s"
            % hashlib.sha1(wanted.encode("utf-8")).hexdigest()[:12])
        self.logger = logging.getLogger(name)

    def install(self):
        # Nothing is returned for buildout to remove: other builds use it.
        if os.path.isdir(self.location):
            return []
        if self.offline:
            raise zc.buildout.UserError(
                "%s is missing, and cannot be made offline" % self.location)
        parent = os.path.dirname(self.location)
        if not os.path.isdir(parent):
            os.makedirs(parent)
        work = tempfile.mkdtemp(prefix=".repositories-", dir=parent)
        try:
            done = os.path.join(work, "done")
            self.make(done, os.path.join(work, "packages"))
            os.rename(done, self.location)
        finally:
            shutil.rmtree(work)
        return []

    update = install

    def make(self, target, packages):
        os.mkdir(packages)
        index = PackageIndex(self.index)

        def unpack(package, directory):
            requirement = pkg_resources.Requirement.parse(
                "%s==%s" % (package, self.release))
            found = index.fetch_distribution(
                requirement, packages, source=True)
            if found is None:
                raise zc.buildout.UserError(
                    "%s has no %s" % (self.index, requirement))
            scratch = tempfile.mkdtemp(dir=packages)
            with tarfile.open(found.location) as archive:
                archive.extractall(scratch)
            top, = os.listdir(scratch)
            os.rename(os.path.join(scratch, top), directory)

        server = os.path.join(target, "openerp")
        addons = os.path.join(target, "addons")
        os.makedirs(addons)
        unpack("openerp-core", server)
        waiting = list(self.modules)
        while waiting:
            module = waiting.pop()
            directory = os.path.join(addons, module)
            inside = os.path.join(server, "openerp", "addons", module)
            if os.path.isdir(directory) or os.path.isdir(inside):
                continue
            self.logger.info("Fetching the module %s.", module)
            unpack("openerp-" + module.replace("_", "-"), directory)
            with open(os.path.join(directory, "__openerp__.py")) as manifest:
                waiting += ast.literal_eval(manifest.read()).get("depends", [])
        for repository in (server, addons):
            self.commit(repository)

    def commit(self, directory):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("GIT_")}
        environment.update(IDENTITY)
        for arguments in (
                ["init", "--quiet"],
                ["symbolic-ref", "HEAD", "refs/heads/" + BRANCH],
                ["add", "--all", "--force"],
                ["commit", "--quiet", "--message",
                 "OpenERP %s as it is packaged" % self.release]):
            subprocess.check_call(
                ["git"] + arguments, cwd=directory, env=environment)
