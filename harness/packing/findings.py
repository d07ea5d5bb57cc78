"""How a corpus is to be read, and what was found and left out on the way."""

from dataclasses import dataclass, field

from harness.errors import InputError

NAMES_SHOWN = 8


@dataclass
class Findings:
    """What reading left out, for the user to know."""

    unread_columns: dict[str, None] = field(default_factory=dict)  # in the order in which they were met
    null_rows: int = 0
    first_null: str = ""
    unread_files: list[str] = field(default_factory=list)  # of folders
    bare_files: int = 0  # of ids without an index
    blend: str = ""  # what each source gave
    spelled_documents: int = 0  # whose text spells a special token of the tokenizer
    untrained_chats: int = 0  # no turn of the assistant in them takes part in the loss
    padding_tokens: int = 0  # at the documents' ends, by their attention masks

    def null_row(self, where: str, column: str, skip: bool) -> None:
        """Count a row whose column is null; raises InputError unless such rows are to be skipped."""
        if not skip:
            raise InputError(f"{where}: {column} is null; mend the row, or leave such rows out with --skip-null")
        self.null_rows += 1
        self.first_null = self.first_null or where

    def notes(self) -> list[str]:
        """What was left out, one line for each kind."""
        lines = []
        if self.null_rows:
            lines.append(f"null rows left out: {self.null_rows:,} (the first: {self.first_null})")
        if self.padding_tokens:
            lines.append(f"padding left out, as attention_mask says: {self.padding_tokens:,} tokens")
        if self.spelled_documents:
            lines.append(
                f"documents whose text spells a special token, which is text in them: {self.spelled_documents:,} "
                "(--special-tokens reads it as the token)"
            )
        if self.untrained_chats:
            lines.append(f"chats without a turn of the assistant in the loss: {self.untrained_chats:,}")
        if self.blend:
            lines.append(self.blend)
        if self.bare_files:
            lines.append(f".bin files without an .idx, read as bare 16-bit ids: {self.bare_files}")
        if self.unread_files:
            lines.append(f"files not read: {len(self.unread_files)}: {listed(self.unread_files)}")
        if self.unread_columns:
            lines.append(f"columns not read: {listed(list(self.unread_columns))}")
        return lines


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Reading:
    """How a corpus is to be read."""

    column: str | None = None  # of text or token ids; looked for if None
    split: str | None = None  # of a data set; `train` if None
    streaming: bool = False  # read a hub data set without downloading it
    config: str | None = None  # of a hub data set
    revision: str | None = None  # likewise
    ignored: tuple[str, ...] = ()  # columns that are not to be carried along
    skip_null: bool = False
    separator: int | None = None  # what ends a document in a bare stream of ids
    found: Findings = field(default_factory=Findings)
