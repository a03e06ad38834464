"""Tests of the invoice module: every ``test_*`` file is run."""
