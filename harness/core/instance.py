"""One SWE-bench problem: a row of a data set, in the classic or in the 5.x schema."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

ID = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$"  # safe and short enough for a file name


class Instance(BaseModel):
    """A row of a SWE-bench data set.

    The twelve classic columns are always there. The 5.x columns (``image``, ``eval_script``,
    ``log_parser``, ``eval_type``) are None on a classic row.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    instance_id: str = Field(pattern=ID)  # names folders, images and records
    repo: str  # owner/name
    base_commit: str
    patch: str  # the gold patch
    test_patch: str
    problem_statement: str
    hints_text: str = ""
    created_at: str = ""
    version: str = ""
    environment_setup_commit: str = ""
    fail_to_pass: tuple[str, ...] = Field(alias="FAIL_TO_PASS")
    pass_to_pass: tuple[str, ...] = Field(alias="PASS_TO_PASS")
    image: str | None = None
    eval_script: str | None = None
    log_parser: str | None = None
    eval_type: str | None = None

    @field_validator("fail_to_pass", "pass_to_pass", mode="before")
    @classmethod
    def _read_list(cls, value: Any) -> Any:
        # the published data sets carry these two columns as JSON text
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"not a JSON list ({error})") from error

    @field_validator("created_at", "version", "hints_text", "environment_setup_commit", mode="before")
    @classmethod
    def _read_text(cls, value: Any) -> Any:
        # created_at is a timestamp in some copies, and the others are null if the benchmark has nothing
        return "" if value is None else str(value)
