"""Show packed rows, one column a line: python examples/packing/show.py FOLDER [--tokenizer FOLDER].

Of Parquet shards that `harness pack` wrote. With a tokenizer ids are shown as its tokens. A label out of the loss is a
dot.
"""

import argparse
from pathlib import Path
from typing import Any

import pyarrow.parquet
from tokenizers import Tokenizer

IDS, OUT_OF_LOSS = ("input_ids", "labels"), -100


def shown(name: str, value: Any, tokenizer: Tokenizer | None) -> str:
    """A value of a row for a reader."""
    if name in IDS and value == OUT_OF_LOSS:
        return "."
    if name in IDS and tokenizer is not None:
        return str(tokenizer.id_to_token(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Read the shards, print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    arguments = parser.parse_args()
    tokenizer = arguments.tokenizer and Tokenizer.from_file(str(arguments.tokenizer / "tokenizer.json"))
    for row in pyarrow.parquet.read_table(arguments.folder).to_pylist():
        for name, values in row.items():
            print(f"{name:>14} {' '.join(shown(name, value, tokenizer) for value in values)}")
        print()


if __name__ == "__main__":
    main()
