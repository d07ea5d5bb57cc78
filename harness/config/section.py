"""What every part of the run file shares."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from harness.core.interfaces import Sampling


def _check_url(value: str) -> str:
    value = value.strip()
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("an endpoint is a URL such as http://host:8000/v1")
    for path in ("/chat/completions", "/completions", "/models", "/embeddings"):
        if (base := value.rstrip("/").removesuffix(path)) != value.rstrip("/"):
            raise ValueError(f"an endpoint is the address ahead of {path}, so {base}")
    return value


Url = Annotated[str, AfterValidator(_check_url)]


class Section(BaseModel):
    """Base of every part of the run file: unknown keys are errors, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, data: Any) -> Any:
        """Sampling parameters given in part keep the rest of their own default, not of `Sampling`'s."""
        if not isinstance(data, dict):
            return data
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        return data | {
            name: {**default.model_dump(), **data[name]}
            for name, default in defaults.items()
            if isinstance(default, Sampling) and isinstance(data.get(name), dict)
        }
