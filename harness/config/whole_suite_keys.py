"""Keys of the second oracle: whether a resolved patch breaks other tests of its repository."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from harness.config.section import Section


def _from_root(value: str) -> str:
    if not value or value.startswith(("/", "./", "../")):
        raise ValueError("a path from the repository's root, or a pattern such as tests/model_*/*.py")
    return value


TestPath = Annotated[str, AfterValidator(_from_root)]


class WholeSuiteKeys(Section):
    """What of the repository's own tests is run beyond the row's, on what is resolved."""

    whole_suite: bool = False  # every test file: what passes with the gold patch has to pass with this one
    whole_suite_files: tuple[TestPath, ...] = ()  # the test files that are run, paths or patterns; all if not given
    whole_suite_repeats: int = Field(default=3, ge=1)  # runs of the gold patch, which find tests that are flaky
    whole_suite_timeout: float = Field(default=7200.0, gt=0, le=604800)  # seconds for one run

    @model_validator(mode="after")
    def _files_of_what_is_run(self) -> Self:
        if self.whole_suite_files and not self.whole_suite:
            raise ValueError("whole_suite_files names test files that whole_suite: true would run; give both")
        return self
