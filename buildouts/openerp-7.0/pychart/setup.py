"""A hollow stand-in for PyChart, a chart library that is in no index any more.

OpenERP 7.0 requires it, for a few old reports that draw charts. Without this
stand-in, setuptools would look for PyChart in the index, not find it, and go
on to read the complete list of projects there.
"""

from setuptools import setup

setup(
    name="pychart",
    version="1.39",
    description="Hollow stand-in for PyChart",
    packages=["pychart"],
)
