"""What is wrong with a value that was read, in one line."""

from pydantic import ValidationError


def error_line(error: Exception) -> str:
    """The error's text in one line; of a validation error the first problem."""
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return f"{'.'.join(map(str, problem['loc'])) or 'JSON'}: {problem['msg']}"
    return " ".join(str(error).split())
