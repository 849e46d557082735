"""Wren, an experiment of Rhizome in Python."""
