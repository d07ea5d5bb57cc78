"""The options of `harness pack`. Nothing heavy is imported before the command runs."""

from pathlib import Path
from typing import Annotated

import typer

from harness.packing.defaults import COMPARED, FORMATS, SHARD_TOKENS


def pack(
    corpus: Annotated[
        list[str],
        typer.Argument(help="Files, folders, globs, saved data sets, .bin/.idx pairs or hub ids; several are joined."),
    ],
    context: Annotated[int, typer.Option("--context", "-L", help="Tokens of a sequence.")],
    tokenizer: Annotated[
        str | None,
        typer.Option("--tokenizer", "-t", help="Folder, tokenizer.json or hub id; not for corpora of token ids."),
    ] = None,
    strategies: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            "-s",
            help=f"Comma-separated or repeated. Where not given: {', '.join(COMPARED)}; "
            "best-fit only where no document is longer than the context.",
        ),
    ] = None,
    stride: Annotated[int | None, typer.Option(help="Of `slide`'s windows; half the context by default.")] = None,
    max_overlap: Annotated[
        float | None, typer.Option(help="Of `spread`'s windows, a share of the context; 0.5 where not given.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Room that `pad-or-cut` leaves empty, a share of the context; 0.05 where not given."),
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(help="Token put after each document (id without a tokenizer), or `none`."),
    ] = None,
    padding: Annotated[
        str | None, typer.Option(help="Token (id without a tokenizer); the tokenizer's, or the separator.")
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(help="Token put before each document, or `none`; as the tokenizer does where not given."),
    ] = None,
    special_tokens: Annotated[
        bool, typer.Option("--special-tokens", help="Read text as special tokens where it spells them.")
    ] = False,
    weights: Annotated[
        str | None, typer.Option(help="Blend several corpora: a share of the tokens for each, comma-separated.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Of text or token ids.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of a data set; train where not given.")] = None,
    streaming: Annotated[bool, typer.Option("--streaming", help="Read a hub data set without downloading it.")] = False,
    config: Annotated[str | None, typer.Option(help="Configuration of a hub data set.")] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of a hub data set.")] = None,
    ignore_column: Annotated[
        list[str] | None, typer.Option("--ignore-column", help="Do not carry this column along; repeatable.")
    ] = None,
    skip_null: Annotated[bool, typer.Option("--skip-null", help="Leave null rows out instead of stopping.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write data sets here, a subfolder a strategy.")] = None,
    index_only: Annotated[bool, typer.Option("--index-only", help="Write index arrays instead of rows.")] = False,
    form: Annotated[
        str | None, typer.Option("--format", help=f"Of the rows: {', '.join(FORMATS)}; {FORMATS[0]} where not given.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Cut every strategy at so many emitted tokens, for equal arms.")
    ] = None,
    shard_tokens: Annotated[
        int | None, typer.Option(help=f"Tokens of one Parquet shard; {SHARD_TOKENS:,} where not given.")
    ] = None,
    shuffle_seed: Annotated[
        int | None,
        typer.Option(min=0, help="Write all rows in a random order; best-fit's are by default (seed 0)."),
    ] = None,
    in_order: Annotated[bool, typer.Option("--in-order", help="Write the rows as the strategies make them.")] = False,
    mask_repeated: Annotated[
        bool, typer.Option("--mask-repeated", help="Take repeated tokens out of the loss.")
    ] = False,
    loss_across_boundaries: Annotated[
        bool,
        typer.Option("--loss-across-boundaries", help="Train a piece's first token on the document before it."),
    ] = False,
    equal_weights: Annotated[
        bool, typer.Option("--equal-weights", help="Weigh every token of the corpus equally, however often it comes.")
    ] = False,
    metrics: Annotated[Path | None, typer.Option(help="Write the metrics here (JSON).")] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw the comparison here (PNG).")] = None,
    front: Annotated[
        Path | None, typer.Option(help="Draw cuts against padding and repetition for all settings here (PNG).")
    ] = None,
) -> None:
    """Compare packing strategies on a corpus; with --output write data sets to train on."""
    from harness.common.inert import inert
    from harness.common.inert_console import inert_console
    from harness.common.steps import shown_steps
    from harness.packing.command import pack_command
    from harness.packing.request import PackRequest
    from harness.packing.table import comparison_table

    request = PackRequest(
        corpus=tuple(corpus),
        weights=_weights(weights),
        context=context,
        tokenizer=tokenizer,
        strategies=tuple(part for given in strategies or () for part in given.split(",") if part),
        stride=stride,
        max_overlap=max_overlap,
        threshold=threshold,
        separator=separator,
        padding=padding,
        begin=begin,
        special_tokens=special_tokens,
        column=column,
        split=split,
        streaming=streaming,
        config=config,
        revision=revision,
        ignored=tuple(ignore_column or ()),
        skip_null=skip_null,
        output=output,
        index_only=index_only,
        format=form,
        budget=budget,
        shard_tokens=shard_tokens,
        shuffle_seed=shuffle_seed,
        in_order=in_order,
        mask_repeated=mask_repeated,
        loss_across_boundaries=loss_across_boundaries,
        metrics=metrics,
        equal_weights=equal_weights,
        figure=figure,
        front=front,
    )
    with shown_steps("packing") as progress:
        result = pack_command(request, progress)
    inert_console().print(comparison_table(result.metrics))
    for note in result.notes:
        typer.echo(inert(note))
    if output is not None:
        typer.echo(inert(f"written: {output}"))


def _weights(given: str | None) -> tuple[float, ...]:
    from harness.errors import InputError

    try:
        return tuple(float(part) for part in given.split(",")) if given else ()
    except ValueError as error:
        raise InputError(f"--weights {given}: give numbers, comma-separated") from error
