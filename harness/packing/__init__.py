"""Packing documents into training sequences: strategies, metrics, files."""
