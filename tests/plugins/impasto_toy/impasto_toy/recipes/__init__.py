"""Recipes of the toy package: YAML files."""
