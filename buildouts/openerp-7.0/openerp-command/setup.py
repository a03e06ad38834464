"""A hollow stand-in for openerp-command, which is in no index any more.

The recipe requires it wherever the development tools are asked for. Nothing
here calls it.
"""

from setuptools import setup

setup(
    name="openerp-command",
    version="0.3",
    description="Hollow stand-in for openerp-command",
    py_modules=[],
)
