"""Exploration of data sets before training: statistics, issues, similarity and recommendations."""
