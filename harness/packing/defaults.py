"""What `harness pack` does where it is not told; light, so that the command's help can name it."""

SHARD_TOKENS = 1 << 24  # of one Parquet file
