"""The study over seeds: from one run of every arm's checkpoints to tables, a figure and a page that reads them."""

from lab.study.page import write_study
from lab.study.parts import joined, load_study, replaced
from lab.study.run_of_study import write_study_page
from lab.study.study import Study, read_study

__all__ = ["Study", "joined", "load_study", "read_study", "replaced", "write_study", "write_study_page"]
