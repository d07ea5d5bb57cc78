"""The study over seeds: from one run of every arm's checkpoints to tables, a figure and a page that reads them."""

from lab.study.page import write_study

__all__ = ["write_study"]
