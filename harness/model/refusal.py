"""What a server says is wrong, in its own words, and what that means for the question that was asked."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.core.interfaces import ContextOverflow
from harness.errors import HarnessError, InfrastructureError, InputError
from harness.model.patience import Passing, asked_wait

WORDS = 300  # characters of a server's words that are shown
# Each server says otherwise that prompt and answer exceed the context.
TOO_LONG = re.compile(
    r"context.{0,10}(?:length|window|size|limit)"  # vLLM, SGLang, OpenAI, llama.cpp, LM Studio, LiteLLM, Anthropic
    r"|max_model_len|maximum model length"  # vLLM
    r"|maximum (?:allowed )?(?:prompt|input|sequence|allowed) length"  # xAI, SGLang and gateways
    r"|`inputs` (?:tokens|must have less)|`max_new_tokens` must be"  # TGI
    r"|max_seq_len|max_num_tokens|session_len|\bn_keep\b"  # TensorRT-LLM, LMDeploy, llama.cpp
    r"|token count.{0,30}(?:exceeds the (?:maximum|limit)|supports up to)"  # Gemini, Vertex, GitHub
    r"|tokens_limit_reached|token limit exceeded|exceeded model token limit"  # GitHub, Moonshot
    r"|(?:prompt|input) (?:is )?too long|too many tokens"  # Anthropic, Bedrock, Ollama, Cohere
    r"|range of input length|prompt exceeds max|prompt \u8d85\u957f"  # DashScope, Z.ai
    r"|reduce the length of the (?:messages|prompt)"  # OpenAI, Groq
    r"|exceeds? (?:the )?(?:model's )?max(?:imum)? (?:input|message|prompt) tokens"  # Databricks, Volcengine
    r"|number of input tokens.{0,40}exceed",  # watsonx
    re.IGNORECASE,
)
KEY = re.compile(r"(?:invalid|incorrect|missing|no)[ _](?:x-)?api[ _-]?key|api key (?:not|is) (?:valid|invalid)", re.I)
MODEL = re.compile(
    r"(?:invalid|unknown) model\b|model not (?:exist|found)|not a valid model|no such model|model_not_found", re.I
)
THROTTLED = re.compile(r"throttl|wait before trying", re.IGNORECASE)  # Bedrock, which speaks of too many tokens then
SPENT = re.compile(r"insufficient_quota", re.IGNORECASE)  # OpenAI: no waiting helps
NO_TEMPLATE = re.compile(
    r"default chat template is no longer|provide a chat template|template not found|no chat[ _]template"
    r"|(?:not have|not define|without) a chat[ _]template|chat[ _]template is not (?:set|defined)|not support chat"
    r"|not a chat model",
    re.IGNORECASE,
)
# How servers say that they do not take a field, or not its value.
REFUSED = re.compile(
    r"(?:not|n't|no longer) (?:be |an? )?(?:support|enabl|allow|permit|accept|recogni[sz]|valid|available)"
    r"|unsupported|deprecated|extra[ _](?:input|forbidden|field)|unknown|unrecogni[sz]ed|unexpected|extraneous"
    r"|forbidden|invalid(?!_request)"
    r"|additional propert|cannot both|cannot find field|(?:must|should|has to) be|out of range|minimum|maximum",
    re.IGNORECASE,
)
FIELDS = ("param", "loc", "field", "parameter", "property", "argument")  # of an error: which field is meant
MESSAGES = ("message", "msg", "error", "detail", "errors")  # fields that hold an error's words
OVERFLOW_STATUSES = (200, 400, 413, 422, 500)
TRANSIENT = (200, 408, 409, 424, 425, 429)  # and every status from 500 on: the same question may fare better
BUSY = (429, 503, 529)  # too many questions, whatever they are


def explain(
    address: str, status: int, body: bytes, headers: Mapping[str, str] | None = None
) -> HarnessError | ContextOverflow:
    """The exception for an error of the server at ``address``: Passing if the same question may fare better."""
    words, everything = words_of(body), " ".join(_texts(_value(body)))
    said_so = f"{address} answered {status}: {words}"
    if THROTTLED.search(everything):
        return Passing(said_so, asked_wait(headers or {}), busy=True)
    if status in OVERFLOW_STATUSES and TOO_LONG.search(everything):
        return ContextOverflow(words)
    if status in (401, 403) or (status in (200, 400) and KEY.search(everything)):
        return InputError(
            f"{address} refuses the key: {words}; name the environment variable that holds it as the checkpoint's "
            "api_key_env"
        )
    if status == 404 or (status in (200, 400, 422) and MODEL.search(everything)):
        hint = "" if "/v1" in address else f"; an endpoint mostly ends in /v1: {address}/v1"
        return InputError(f"{address} does not know the model or the path: {words}{hint}")
    if (status in TRANSIENT or status >= 500) and not SPENT.search(everything):
        return Passing(said_so, asked_wait(headers or {}), busy=status in BUSY)
    return InfrastructureError(said_so)


def words_of(body: bytes) -> str:
    """What a body says in the first place, in one line."""
    return next((_short(text) for text in _texts(_value(body))), "without a word")


def lacks_template(status: int, body: bytes) -> bool:
    """Whether an error says that the model has no chat template."""
    return status in (400, 404, 422, 500) and bool(NO_TEMPLATE.search(" ".join(_texts(_value(body)))))


def refuses(name: str, status: int, body: bytes) -> bool:
    """Whether an error says that the server does not take the field ``name`` of a question, or not its value."""
    if status not in (200, 400, 404, 422, 500):
        return False
    value = _value(body)
    words = " ".join(_texts(value))
    spoken = rf"[`'\"\[{{(]{name}[`'\"\]}}):]" if len(name) == 1 else rf"(?<![\w-]){name}(?![\w-])"
    named = bool(re.search(spoken, words)) or name in _fields(value)
    return named and bool(REFUSED.search(words)) and not TOO_LONG.search(words)


def _fields(value: Any, depth: int = 0) -> Iterator[str]:
    """The fields of a question that an error names beside its words."""
    if depth > 6:
        return
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        inner = _value(value.encode("utf-8", "replace"))
        yield from _fields(inner, depth + 1) if isinstance(inner, dict | list) else ()
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, depth + 1)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key in FIELDS:
                named = member[-1:] if isinstance(member, list) else [member]
                yield from (part for part in named if isinstance(part, str))
            elif key != "input":  # what was sent, which may be all of the question
                yield from _fields(member, depth + 1)


def error_in(value: Any) -> tuple[int, bytes] | None:
    """Status and body of an error that was sent as if all had gone well; None if there is none."""
    if isinstance(value, list) and len(value) == 1:  # Gemini
        value = value[0]
    if not isinstance(value, dict):
        return None
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    holder = first if isinstance(first, dict) and first.get("error") else value  # OpenRouter puts it into the choice
    error = holder.get("error")
    if isinstance(error, dict) and not any(error.values()):  # one-api, beside an answer
        error = None
    ended = first.get("finish_reason") if isinstance(first, dict) else None
    if isinstance(ended, dict) and ended.get("type") == "abort" and ended.get("message"):  # SGLang
        error = {"message": ended["message"], "code": ended.get("status_code")}
    error = error or (value if value.get("object") == "error" or _says_no_more(value) else None)
    if not error:
        return None
    code = str(error.get("code")) if isinstance(error, dict) else ""
    status = int(code) if re.fullmatch(r"[45]\d\d", code, re.ASCII) else 200
    return status, json.dumps(error).encode()


def _says_no_more(value: dict[str, Any]) -> bool:
    """Whether an object holds a message in the place of an answer or a list, as gateways word errors of their own."""
    return not value.keys() & {"choices", "data"} and any(value.get(name) for name in MESSAGES)


def _value(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", body.decode("utf-8", "replace"), flags=re.S | re.I)


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """What an error's body says, its message first, then the kinds and codes beside it."""
    if depth > 6:
        return
    if isinstance(value, str):
        inner = _value(value.encode("utf-8", "replace")) if value.lstrip()[:1] in ("{", "[") else None
        if isinstance(inner, dict | list):  # a gateway passes the error behind it on as text
            yield from _texts(inner, depth + 1)
        elif value.strip():
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    elif isinstance(value, dict):
        metadata = value.get("metadata")
        raw = metadata.get("raw") if isinstance(metadata, dict) else None  # OpenRouter
        for part in (raw, *(value.get(name) for name in (*MESSAGES, "error_type"))):
            yield from _texts(part, depth + 1)
        yield from (str(value[name]) for name in ("type", "code", "status") if isinstance(value.get(name), str | int))


def _short(text: str) -> str:
    text = " ".join(text.encode("utf-8", "replace").decode().split())  # a record can't hold half a character
    return text if len(text) <= WORDS else f"{text[:WORDS]}..."
