"""Where an answer is over although the text goes on: a model without an end token invents the next question."""

import re

from harness.reading.path_names import is_fence, path_of_line

# With which a turn or a document ends, or the next one begins: special tokens of models, base ones among them, that
# were written as plain text. Those without bars may as well be tags in source.
_TOKEN = (
    r"<\|(?:im_end|im_user|im_system|endoftext|end_of_text|eot_id|eot|eom_id|eos|end|endofturn|end_of_turn|endofmessage"
    r"|endofprompt|EOT|end_of_document|end_of_role|return|observation|file_sep|file_separator|repo_name|begin_of_text"
    r"|fim_[a-z]+)\|>|<｜(?:end▁of▁sentence|begin▁of▁sentence|User)｜>"
)
_BARE = (
    r"<end_of_turn>|<end_of_utterance>|</?s>|<[be]os>|\[[BE]OS\]|<(?:file_sep|reponame|gh_stars|empty_output)>"
    r"|<(?:issue|commit|jupyter|fim|pr)_[a-z_]+>|\]~b\]|\[e~\["
)
_QUESTION = re.compile(
    rf"""[ \t]*(?:
    \#{{1,4}}[ \t]*(?:The[ \t]report|The[ \t]source[ \t]code|What[ \t]to[ \t]answer|The[ \t]issue)[ \t]*
    | </?(?:report|issue|problem|problem_statement|(?:issue|pr|task)_description|github_issue)>[ \t]*
    | (?:[-=*#~_]{{3,}}|\[)[ \t]*(?i:(?:begin|start)(?:[ ]of)?(?:[ ](?:the|new|next|github))*
      [ ](?:issue|problem|report|bug|task|question|prompt))\b.*
    | (?i:we(?:[ ]are|['’]re)(?:[ ](?:currently|now))?[ ]solving[ ]the[ ]following[ ](?:issue|problem|task|bug)\b).*
    | (?i:here(?:[ ]is|['’]s)[ ]the[ ](?:next[ ]|new[ ]|github[ ])?issue(?:[ ](?:text|description|statement))?:)[ \t]*
    | (?i:(?:please[ ]|now[ ])*(?:consider|solve|resolve)[ ]the[ ]following[ ](?:github[ ])?(?:issue|problem|bug)\b).*
    | \#{{2,4}}[ \t]*(?:(?:Instruction|Input|Human|User)[ \t]*:?[ \t]*|(?:Human|User):.*)
    | (?:User|Human|USER|HUMAN)[ \t]*:.* | \[(?:USER|HUMAN)\].*
    | A[ \t]problem[ \t]was[ \t]reported[ \t]in[ \t]a[ \t]software[ \t]repository\..*
    | Fix[ \t]it\.[ \t]Answer[ \t]with[ \t]blocks.*
    | Which[ \t](?:parts[ \t]matter|files[ \t]must[ \t]change|folders[ \t]have[ \t]nothing|of[ \t]these[ \t]tests)\b.*
    | Where[ \t]must[ \t]it[ \t]change\?.*
    | <\|(?:im_start|start_header_id|start)\|>[ \t]*(?:user|system).* | <\|(?:user|system|start_of_role)\|>.*
    | <start_of_turn>[ \t]*user.* | \[/?INST\].*
    | <\|header_start\|>[ \t]*(?:user|system).* | (?:{_TOKEN}|{_BARE}).*
    )""",
    re.VERBOSE,
)
_ASKED = r"question|task|exercise|instruction|prompt|q|bug[ ]report|example(?=[ ]?[#]?\d)|(?<=another[ ])example"
_TOLD = r"issue|problem|report|problem[ ]statement|github[ ]issue"  # also the label of a remark
_NEW = r"(?:(?:new|next|another)[ ])?"
_NUMBER, _BEHIND = r"(?:[ \t]*[#]?\d+)?", r"(?:[ \t]*[:.—–-].*)?"
# A heading of a report, or a label ahead of one. An answer may have such headings of its own.
_HEADING = re.compile(
    rf"[ \t]*(?:[#]{{1,6}}[ \t]*(?:\d+[.)][ \t]*)?{_NEW}({_ASKED}|{_TOLD})\b{_NUMBER}{_BEHIND}"
    rf"|{_NEW}({_ASKED}){_NUMBER}[ \t]*:.*|{_NEW}({_TOLD}){_NUMBER}[ \t]*:"
    rf"|\*\*{_NEW}({_ASKED}|problem[ ]statement|github[ ]issue){_NUMBER}:\*\*[ \t]+\S.*"
    rf"|\*\*{_NEW}({_ASKED}|{_TOLD}){_NUMBER}:?\*\*:?|({_ASKED}|{_TOLD})[ \t]*[#]?\d+[.:]?"
    rf"|\*\*\[?{_NEW}({_ASKED}|{_TOLD})[ \t]*[#]\d+\b.*|[-=]{{3,}}[ \t]*{_NEW}({_ASKED}|{_TOLD}){_NUMBER}"
    rf"[ \t]*[-=]{{3,}})[ \t]*",
    re.IGNORECASE,
)
# A title behind the label: a report if it is a paragraph of its own, else a remark on the answer.
_TITLED = re.compile(
    rf"(?:new[ ])?(issue|(?:github|bug)[ ](?:issue|report)|report|problem[ ]statement){_NUMBER}[ \t]*:[ \t]*\w.*", re.I
)
_SIGN = re.compile(rf"{_TOKEN}|{_BARE}|<\|header_start\|>")
_TURN = re.compile(rf"(?<=[^\s\"'`(\[])(?=(?:{_TOKEN})[ \t]*$)", re.MULTILINE)
_ENDED = re.compile(rf"^([ \t]*(?:>{{5,9}} ?\w+|```|~~~|\*\*\* End Patch|</[\w:.-]+>))(?={_SIGN.pattern})", re.M)
_MARK = re.compile(r"[ \t]*(?:<{3}|-{3}|@@|\*{3} |diff )")  # with which edits begin
LONGEST = 400  # characters of a line that are looked at


def turns_apart(text: str) -> str:
    """The text with signs of a turn's end on lines of their own, where they end another line or what an edit ends."""
    return _ENDED.sub(r"\1\n", _TURN.sub("\n", text)) if _SIGN.search(text) else text


class Ending:
    """Says where one answer is over, as its lines outside of edits are told to it in order.

    A line that begins another question ends an answer that holds something. So does the heading of a report, if the
    answer had none with this word ahead of what it holds: an answer may take up one problem after another. A report
    says something: a heading without a title ends nothing if the next line is one that the answer had before and that
    leads to an edit, such as the path of the same file.
    """

    def __init__(self) -> None:
        self._own: set[str] = set()
        self._blank = True  # whether the line before was
        self._seen: set[str] = set()  # the lines up to the one that is told
        self._untitled = ""  # the word of a heading without a title, with nothing behind it yet
        self._titled = ""  # the word of a report's title on the line before, if that began a paragraph

    def over(self, line: str, begun: bool) -> bool:
        """Whether the answer is over at this line; ``begun``: it holds something already."""
        line = line[:LONGEST]
        blank, titled = self._blank, self._titled
        self._blank, self._titled = not line.strip(), ""
        if self._blank:
            return self._reports(titled, begun) if titled else False
        if _QUESTION.fullmatch(line):
            return begun
        if self._untitled and not is_fence(line) and not line.startswith("*** Begin Patch"):
            if not self._goes_on(line):
                return True
            self._own.add(self._untitled.lower())
            self._untitled = ""
        self._seen.add(line)
        if found := _HEADING.fullmatch(line):
            word = next(filter(None, found.groups()))
            over = self._reports(word, begun)
            if over and _is_bare(line, word):
                self._untitled = word
            return over and not self._untitled
        if blank and (title := _TITLED.fullmatch(line)):
            self._titled = title[1]
        return False

    def _goes_on(self, line: str) -> bool:
        """Whether a line leads to an edit as one before it did: it has the same path, or the same mark."""
        return line in self._seen and bool(path_of_line(line) or _MARK.match(line))

    def _reports(self, word: str, begun: bool) -> bool:
        """Whether the heading of a report ends the answer."""
        if not begun:
            self._own.add(word.lower())
        return begun and word.lower() not in self._own


def _is_bare(line: str, word: str) -> bool:
    """Whether a heading has no title behind its word."""
    letters, named = ("".join(filter(str.isalpha, one)).lower() for one in (line, word))
    return letters in (named, f"new{named}")
