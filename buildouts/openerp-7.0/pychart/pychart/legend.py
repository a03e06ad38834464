"""Stands for PyChart's legends, which nobody is going to read."""
