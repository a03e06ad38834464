"""Tests of the base module: every ``test_*`` file is run."""
