"""Training documents: chats about generated packages, rendered with the prompts and the chat template of evaluation.

Three kinds. *Single*: one question of the pipeline and its answer. *Trajectory*: a whole repair, from the tree to the
edit, in one chat. *Session*: the tree at its head, then question after question that only the head answers; a piece
of it without its head asks for what can't be known (arXiv 2603.00729, section 3.2: context hallucination).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from harness.common.resources import templates
from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.localize.named_files import common_folder, source_paths
from harness.miniature.checkpoints import CHAT_TEMPLATE
from lab.corpus.oracle import BEFORE_NAME, Questions, Turn

TEMPLATES = Path(__file__).with_name("templates")
SINGLE, TRAJECTORY, SESSION = "single", "trajectory", "session"
CONDITIONS = ("model", "gt-location", "gt-file")
FOLLOW_UP = "follow_up"
BOS, EOS = "<bos>", "<eos>"


@dataclass(frozen=True)
class Mix:
    """How the documents of a corpus are drawn. Weights are relative."""

    kinds: Mapping[str, float] = field(default_factory=lambda: {SINGLE: 0.86, TRAJECTORY: 0.07, SESSION: 0.07})
    asked: Mapping[str, float] = field(
        default_factory=lambda: {"files": 0.2, "elements": 0.15, "model": 0.3, "gt-location": 0.2, "gt-file": 0.15}
    )  # by single documents: the stages of localization, and repair in each condition
    follow_ups: tuple[int, int] = (2, 24)  # questions of a session after its first: fewest, most


def draw(random: Random, weights: Mapping[str, float]) -> str:
    """One of the keys by their weights."""
    return random.choices(list(weights), list(weights.values()))[0]


async def write_document(
    kind: str, random: Random, mix: Mix, questions: Questions, instance: Instance, snapshot: Snapshot
) -> str:
    """The document of a ``kind`` about one instance: a chat's text with its special tokens.

    The same state of ``random`` makes the same document. Raises ValueError if the instance's gold patch is no
    answer that the pipeline accepts.
    """
    asked = draw(random, mix.asked)
    if kind == SINGLE and asked in CONDITIONS:
        return chat([await questions.repair(instance, snapshot, asked)])
    files, elements = await questions.localization(instance, snapshot)
    if kind == SINGLE:
        return chat([files if asked == "files" else elements])
    if kind == SESSION:
        return chat([files, *_follow_ups(random, mix, questions, snapshot)])
    return chat([files, elements, await questions.repair(instance, snapshot, "model")])


def chat(turns: Sequence[Turn]) -> str:
    """The turns as one chat, which ends with the end-of-text token of its last answer."""
    spoken = [(role, text) for turn in turns for role, text in (("user", turn.prompt), ("assistant", turn.answer))]
    messages = [{"role": role, "content": text} for role, text in spoken]
    return _render(messages, add_generation_prompt=False).rstrip("\n")


def question(turn: Turn) -> str:
    """The turn's prompt as the model is asked it, up to where its answer begins."""
    return _render([{"role": "user", "content": turn.prompt}], add_generation_prompt=True)


def _render(messages: Sequence[dict[str, str]], add_generation_prompt: bool) -> str:
    template = templates(CHAT_TEMPLATE.parent).get_template(CHAT_TEMPLATE.name)
    return template.render(messages=messages, add_generation_prompt=add_generation_prompt, bos_token=BOS, eos_token=EOS)


def _follow_ups(random: Random, mix: Mix, questions: Questions, snapshot: Snapshot) -> list[Turn]:
    """Questions for the places of some of the names in the snapshot."""
    paths = source_paths(snapshot.paths())
    root = common_folder(paths)
    names = [
        (element.name, path.removeprefix(root))
        for path in paths
        for element in questions.outlines.elements(snapshot, path)
    ]
    drawn = random.sample(names, min(len(names), random.randint(*mix.follow_ups)))
    template = templates(TEMPLATES).get_template(f"{FOLLOW_UP}.jinja")
    return [Turn(FOLLOW_UP, template.render(name=name), f"{BEFORE_NAME}{name} {path}") for name, path in drawn]
