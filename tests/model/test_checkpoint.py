"""A checkpoint's folder: what is refused, what identifies it, how its prompts are counted."""

import json
import os

import pytest

from harness.errors import InputError
from harness.miniature.checkpoints import Shape, write_random_checkpoint
from harness.model import checkpoint as module
from harness.model.checkpoint import argument, check_checkpoint, checkpoint_revision, context_length
from harness.model.tokens import PromptTokens

CORPUS = ("def total(values):\n    return sum(values)  # the whole total\n",) * 3
OLD = 1_600_000_000  # seconds: long settled


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    write_random_checkpoint(tmp_path / "tiny", seed=1, corpus=CORPUS)
    return tmp_path / "tiny"


def edit(file, **values):
    content = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in (content | values).items() if value is not None}))


def split(folder, name="model-0000{}-of-00002.safetensors"):
    """Spread the weights over two shards with an index, as larger checkpoints come."""
    data = (folder / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__")
    weight_map = {}
    for number, names in enumerate((sorted(header)[:5], sorted(header)[5:]), 1):
        shard, blobs, position = {}, b"", 0
        for tensor in names:
            start, end = header[tensor]["data_offsets"]
            shard[tensor] = header[tensor] | {"data_offsets": [position, position + end - start]}
            blobs, position = blobs + data[8 + length + start : 8 + length + end], position + end - start
            weight_map[tensor] = name.format(number)
        text = json.dumps(shard).encode()
        (folder / name.format(number)).write_bytes(len(text).to_bytes(8, "little") + text + blobs)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def test_whole_checkpoints_pass(folder):
    check_checkpoint(folder)
    split(folder)
    check_checkpoint(folder)
    (folder / "model.safetensors.index.json").unlink()
    check_checkpoint(folder)


def cut(name, size):
    return lambda folder: os.truncate(folder / name, size)


def drop(name):
    return lambda folder: (folder / name).unlink()


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop("config.json"), "it has no readable config.json"),
        (text("config.json", "{"), "config.json: not JSON"),
        (text("config.json", "[]"), "config.json: not a JSON object"),
        (lambda folder: edit(folder / "config.json", architectures=None), "names no architecture"),
        (drop("model.safetensors"), "holds no weights"),
        (cut("model.safetensors", 200_000), "truncated: 200000 bytes where the header says"),
        (cut("model.safetensors", 100), "truncated inside their header"),
        (cut("model.safetensors", 0), "truncated"),
        (text("model.safetensors", "version https://git-lfs.github.com/spec/v1"), "truncated inside their header"),
        (lambda folder: (folder / "model.safetensors").open("ab").write(b"x") and None, "too long"),
        (drop("tokenizer.json"), "has no tokenizer.json"),
        (text("tokenizer.json", "{"), "tokenizer.json: not JSON"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_vllm_could_not_serve_is_refused_in_one_line(folder, damage, message):
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        check_checkpoint(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop("model-00002-of-00002.safetensors"), "00002.safetensors: a weight shard is missing"),
        (cut("model-00001-of-00002.safetensors", 5000), "00001-of-00002.safetensors: the weights are truncated"),
        (text("model.safetensors.index.json", "{}"), "has no weight_map"),
        (
            lambda folder: edit(
                folder / "model.safetensors.index.json", weight_map={"more": "model-00001-of-00002.safetensors"}
            ),
            r"lacks 1 tensors that model.safetensors.index.json says it holds \(more\)",
        ),
    ],
)
def test_every_shard_has_to_be_there_whole(folder, damage, message):
    split(folder)
    damage(folder)
    with pytest.raises(InputError, match=message):
        check_checkpoint(folder)


def test_a_missing_shard_is_noticed_without_an_index(folder):
    split(folder)
    (folder / "model.safetensors.index.json").unlink()
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match="a weight shard is missing"):
        check_checkpoint(folder)


def test_pickled_weights_are_named(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin is not loaded: convert it"):
        check_checkpoint(folder)


@pytest.mark.parametrize(("on_cpu", "refused"), [(True, True), (False, False)])
@pytest.mark.parametrize("values", [{"head_dim": 16}, {"head_dim": None, "num_attention_heads": 8}])
def test_a_head_size_is_refused_only_where_the_cpu_serves(folder, monkeypatch, on_cpu, refused, values):
    edit(folder / "config.json", **values)
    monkeypatch.setattr(module, "serves_on_cpu", lambda: on_cpu)
    if refused:
        with pytest.raises(InputError, match="attention head size 16 is refused"):
            check_checkpoint(folder)
    else:
        check_checkpoint(folder)


def test_the_revision_is_the_content_wherever_it_lies(folder, tmp_path):
    first = checkpoint_revision(folder)
    write_random_checkpoint(tmp_path / "copy", seed=1, corpus=CORPUS)
    (tmp_path / "copy" / "README.md").write_text("notes")
    (tmp_path / "copy" / "optimizer.pt").write_text("state")
    assert checkpoint_revision(tmp_path / "copy") == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write_random_checkpoint(folder, seed=2, corpus=CORPUS),
        lambda folder: edit(folder / "config.json", rope_theta=5.0),
        lambda folder: edit(folder / "generation_config.json", top_k=5),
        lambda folder: edit(folder / "tokenizer_config.json", chat_template="{{ messages[0].content }}"),
        text("chat_template.jinja", "{{ messages[0].content }}"),
        drop("generation_config.json"),
    ],
)
def test_any_determining_change_gives_another_revision(folder, change):
    before = checkpoint_revision(folder)
    change(folder)
    assert checkpoint_revision(folder) != before


def test_server_arguments_are_in_the_revision_with_the_content_of_files(folder, tmp_path):
    template, moved = tmp_path / "a.jinja", tmp_path / "b.jinja"
    template.write_text("one")
    moved.write_text("one")
    plain = checkpoint_revision(folder)
    one = checkpoint_revision(folder, (f"--chat-template={template}",))
    assert plain != checkpoint_revision(folder, ("--dtype=float32",))
    assert one == checkpoint_revision(folder, (f"--chat-template={moved}",))
    template.write_text("two")
    assert one != checkpoint_revision(folder, (f"--chat-template={template}",))
    assert plain != checkpoint_revision(folder, ("--hf-overrides", json.dumps({"key": "x" * 5000})))


def test_large_files_are_hashed_once(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 1000)
    for file in folder.iterdir():
        os.utime(file, (OLD, OLD))
    revision = checkpoint_revision(folder)
    kept = list((tmp_path / "cache" / "hashes").iterdir())
    assert kept
    opened = []
    digest = module.hashlib.file_digest
    monkeypatch.setattr(
        module.hashlib, "file_digest", lambda file, kind: opened.append(file.name) or digest(file, kind)
    )
    assert checkpoint_revision(folder) == revision
    assert not any(str(name).endswith("model.safetensors") for name in opened)
    os.utime(folder / "model.safetensors", (OLD + 1, OLD + 1))
    assert checkpoint_revision(folder) == revision
    assert any(str(name).endswith("model.safetensors") for name in opened)


def test_the_hash_of_a_file_just_written_is_not_kept(folder, tmp_path, monkeypatch):
    """Written again within the clock's tick, it would keep its time stamp and so its old hash."""
    monkeypatch.setattr(module, "LARGE", 0)
    checkpoint_revision(folder)
    assert not (tmp_path / "cache" / "hashes").exists()


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (("--max-model-len", "64"), "64"),
        (("--max-model-len=64",), "64"),
        (("--max_model_len=64",), "64"),
        (("--max-model-len=1", "--max-model-len=64"), "64"),
        (("--enforce-eager",), None),
        (("--max-model-len",), ""),
    ],
)
def test_server_arguments_are_read_as_vllm_reads_them(args, value):
    assert argument(args, "--max-model-len") == value


@pytest.mark.parametrize(
    ("args", "tokens"),
    [((), 8192), (("--max-model-len=64",), 64), (("--max-model-len=2k",), 2000), (("--max-model-len=2K",), 2048)],
)
def test_context_length(folder, args, tokens):
    assert context_length(folder, args) == tokens


def test_context_length_has_to_be_known(folder):
    with pytest.raises(InputError, match="--max-model-len=auto: give a whole number"):
        context_length(folder, ("--max-model-len=auto",))
    edit(folder / "config.json", max_position_embeddings=None)
    with pytest.raises(InputError, match="does not say how long"):
        context_length(folder, ())


PROMPTS = ["", "why?", "def f(x):\n\n    return x\t# é 漢 🙂\n", "<eos><|user|>", "word " * 500]


@pytest.mark.vllm  # starts nothing, but transformers comes with vLLM and takes its time to be imported
@pytest.mark.parametrize("prompt", PROMPTS)
def test_prompts_are_counted_as_transformers_does(folder, prompt):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    message = [{"role": "user", "content": prompt}]
    theirs = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert PromptTokens(folder).count(prompt) == len(theirs)


def test_without_a_template_the_bare_prompt_is_counted(tmp_path):
    write_random_checkpoint(tmp_path, seed=1, chat_template=False)
    tokens = PromptTokens(tmp_path)
    assert tokens.route == "completions"
    assert tokens.count("why?") == 4  # a token a byte, as the tokenizer had no corpus


def template_file(folder):
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}!")


def named_templates(folder):
    templates = [
        {"name": "tool_use", "template": "x" * 99},
        {"name": "default", "template": "{{ messages[0]['content'] }}!"},
    ]
    edit(folder / "tokenizer_config.json", chat_template=templates)


def generation_tag(folder):
    template = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}!"
    edit(folder / "tokenizer_config.json", chat_template=template)


def object_tokens(folder):
    edit(
        folder / "tokenizer_config.json",
        bos_token={"content": "!"},
        chat_template="{{ messages[0].content + bos_token }}",
    )


@pytest.mark.parametrize("prepare", [template_file, named_templates, generation_tag, object_tokens])
def test_templates_in_every_form_they_come_in(tmp_path, prepare):
    write_random_checkpoint(tmp_path, seed=1)
    prepare(tmp_path)
    assert PromptTokens(tmp_path).count("why?") == 5


def test_a_template_and_a_tokenizer_among_the_server_arguments_count(tmp_path):
    write_random_checkpoint(tmp_path / "bytes", seed=1)
    write_random_checkpoint(tmp_path / "words", seed=1, corpus=["total " * 50], shape=Shape(vocabulary=300))
    (tmp_path / "a.jinja").write_text("{{ messages[0].content }}")
    args = ("--chat-template", str(tmp_path / "a.jinja"))
    assert PromptTokens(tmp_path / "bytes", args).count("total") == 5
    assert PromptTokens(tmp_path / "bytes", (*args, f"--tokenizer={tmp_path / 'words'}")).count("total") == 1


def test_a_broken_template_or_one_that_refuses_is_the_checkpoints_fault(tmp_path):
    write_random_checkpoint(tmp_path, seed=1)
    (tmp_path / "chat_template.jinja").write_text("{% if %}")
    with pytest.raises(InputError, match="chat template is broken"):
        PromptTokens(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('system message wanted') }}")
    with pytest.raises(InputError, match="system message wanted"):
        PromptTokens(tmp_path).count("why?")


def test_a_templates_code_is_kept_in_its_sandbox(tmp_path):
    write_random_checkpoint(tmp_path, seed=1)
    (tmp_path / "chat_template.jinja").write_text("{{ messages.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(InputError, match="unsafe"):
        PromptTokens(tmp_path).count("why?")
