# A worker of `farmout demo-master`. Its name, its password and the master's port are in worker.json.

import json
from pathlib import Path

from buildbot_worker.bot import Worker
from twisted.application import service
from twisted.python.log import FileLogObserver, ILogObserver
from twisted.python.logfile import LogFile

basedir = Path(__file__).resolve().parent
own = json.loads((basedir / "worker.json").read_text())

# note: this line is matched against to check that this is a worker directory; do not edit it.
application = service.Application('buildbot-worker')
application.setComponent(ILogObserver, FileLogObserver(LogFile.fromFullPath(str(basedir / "twistd.log"))).emit)

# It waits for its master at most this long between two tries, and others may read what it makes, as everywhere.
worker = Worker("127.0.0.1", own["port"], own["name"], own["password"], str(basedir), 600, umask=0o22, maxdelay=2)
worker.setServiceParent(application)
