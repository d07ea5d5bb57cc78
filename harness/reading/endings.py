"""Where an answer is over although the text goes on: a model without an end token invents the next question."""

import re

_QUESTION = re.compile(
    r"""[ \t]*(?:
    \#{1,4}[ \t]*(?:The[ \t]report|The[ \t]source[ \t]code|What[ \t]to[ \t]answer|The[ \t]issue)[ \t]*
    | </?(?:report|issue|problem_statement)>[ \t]*
    | (?:Issue|Report|Question|Problem)[ \t]*:[ \t]*
    | \#{2,4}[ \t]*(?:Instruction|Input|Human|User|Question|Issue)[ \t]*:?[ \t]*
    | (?:User|Human)[ \t]*:.*
    | A[ \t]problem[ \t]was[ \t]reported[ \t]in[ \t]a[ \t]software[ \t]repository\..*
    | Fix[ \t]it\.[ \t]Answer[ \t]with[ \t]blocks.*
    | <\|(?:im_start|start_header_id|start)\|>[ \t]*(?:user|system).* | <\|(?:user|system|start_of_role)\|>.*
    | <start_of_turn>[ \t]*user.* | \[/?INST\].*
    | (?:<\|(?:im_end|endoftext|end_of_text|eot_id|end)\|>|<end_of_turn>|</s>|<｜end▁of▁sentence｜>).*
    )""",
    re.VERBOSE,
)


def next_question(line: str) -> bool:
    """Whether a line begins another question, as the prompts and the templates of chats do, or ends the turn."""
    return bool(_QUESTION.fullmatch(line))
