"""A very small application server with OpenERP's command line habits.

It connects to PostgreSQL, installs and upgrades modules (tables, migrations,
demonstration data), runs their tests and answers over HTTP. It exists so that
a build farm for OpenERP has something quick and honest to build.

``cli`` reads the command line, ``loading`` installs and upgrades, ``testing``
runs tests, ``web`` answers, and ``modules`` holds the modules themselves. To
see a build fail, change an expected value in one of the modules' tests.
"""

__version__ = "1.0"
