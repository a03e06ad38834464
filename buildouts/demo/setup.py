"""Packaging of the demonstration server."""

from setuptools import find_packages, setup

setup(
    name="demo-server",
    version="1.0",
    description="A very small application server with OpenERP's command line habits",
    packages=find_packages(),
    python_requires=">=3.9",
    install_requires=["psycopg2-binary"],
)
