"""What `harness pack` does by default; light, so that the command's help can name it."""

COMPARED = (
    "concat-then-split",
    "restart-last-document",
    "pad-last-document",
    "pad-or-cut",
    "best-fit",
    "best-fit+truncate",
    "best-fit+split",
    "best-fit+slide",
    "best-fit+spread",
    "best-fit+drop",
    "best-fit-stream+split",
)  # if no strategies are named; `best-fit` only if no document is too long for it
SHARD_TOKENS = 1 << 24  # of one Parquet file
SHUFFLE_SEED = 0  # of the rows of best-fit decreasing, which opens its sequences longest document first
ROWS, ARROW, TRAINER, TRAINER_ARROW, BRIDGE, MEGATRON = FORMATS = (
    "rows",
    "arrow",
    "trainer",
    "trainer-arrow",
    "megatron-bridge",
    "megatron",
)  # of what is written
ARROW_FORMATS = (ARROW, TRAINER_ARROW)  # Arrow streams; the other tables are Parquet
