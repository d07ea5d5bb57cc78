"""Rows of every family, predictions, recipes and the facts of versions: data in, values out."""
