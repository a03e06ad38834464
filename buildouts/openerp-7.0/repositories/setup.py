"""A buildout recipe that makes Git repositories of OpenERP's packages."""

from setuptools import setup

setup(
    name="openerp-repositories",
    version="1.0",
    description="Makes Git repositories of OpenERP's packages",
    py_modules=["openerp_repositories"],
    install_requires=["setuptools"],
    entry_points={"zc.buildout": ["default = openerp_repositories:Recipe"]},
)
