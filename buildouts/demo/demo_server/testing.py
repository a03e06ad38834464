"""Running the tests of a module against the database it was installed in."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
import unittest
from typing import Any, ClassVar

from demo_server.logs import TEST
from demo_server.module import Module

_logger = logging.getLogger("openerp.modules.module")


class DatabaseCase(unittest.TestCase):
    """A test in a transaction that is rolled back when the test is over."""

    connection: ClassVar[Any] = None

    def setUp(self) -> None:
        self.cursor = self.connection.cursor()
        self.addCleanup(self.connection.rollback)

    def query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run a statement; its rows, or an empty list if it has none."""
        self.cursor.execute(sql, arguments)
        return self.cursor.fetchall() if self.cursor.description else []

    def use_empty_schema(self) -> None:
        """Work on no tables at all, to try a migration from its beginning."""
        self.query("CREATE SCHEMA scratch")
        self.query("SET LOCAL search_path TO scratch")


class LogResult(unittest.TestResult):
    """Writes what happens to the log, line by line, as OpenERP 7 does."""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        _say(_title(test))

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        _say("ERROR")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        _say("FAIL")

    def summary(self, seconds: float) -> None:
        """What unittest prints at the end: each problem at length, then figures."""
        for label, problems in (("ERROR", self.errors), ("FAIL", self.failures)):
            for test, trace in problems:
                _say("=" * 70)
                _say(f"{label}: {_title(test)}")
                headline, *lines = trace.splitlines()
                _say(headline)
                for line in lines:
                    _say(f"` {line}")
        _say(f"Ran {self.testsRun} tests in {seconds:.3f}s")
        if self.wasSuccessful():
            _say("OK")
        else:
            _say("FAILED")
            _say(f" (failures={len(self.failures)}, errors={len(self.errors)})")


def _say(text: str) -> None:
    _logger.log(TEST, "%s", text)


def _title(test: unittest.TestCase) -> str:
    """``test_name (package.module.Class)``, the same for every Python version."""
    location, _, method = test.id().rpartition(".")
    return f"{method} ({location})"


def run(connection: Any, module: Module) -> bool:
    """Run all tests of the module; tell whether they passed."""
    package = importlib.import_module(f"demo_server.modules.{module.name}.tests")
    names = [info.name for info in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]
    _say(f"module {module.name}: executing tests of {', '.join(names)}")
    DatabaseCase.connection = connection
    result = LogResult()
    start = time.monotonic()
    unittest.defaultTestLoader.loadTestsFromNames(names).run(result)
    result.summary(time.monotonic() - start)
    if not result.wasSuccessful():
        _logger.error("module %s: at least one error occurred in a test", module.name)
    return result.wasSuccessful()
