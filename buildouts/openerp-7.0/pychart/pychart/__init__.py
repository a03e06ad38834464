"""The two names that OpenERP uses while it starts, and nothing behind them.

A report that really draws a chart fails; none of the modules tested here does.
"""


class color(object):
    """Stands for PyChart's module of colours."""

    @staticmethod
    def T(**components):
        """A colour, which nobody is going to paint with."""
        return components


class theme(object):
    """Stands for PyChart's settings, to which OpenERP assigns."""
