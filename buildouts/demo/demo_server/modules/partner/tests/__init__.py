"""Tests of the partner module: every ``test_*`` file is run."""
