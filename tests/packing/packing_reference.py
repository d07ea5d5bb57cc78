"""Slow, obvious packers: one document at a time, plain lists, no arrays."""

Piece = tuple[int, int, int]  # document, offset, length


def best_fit(sizes: list[tuple[Piece, bool]], context: int) -> list[list[Piece]]:
    """Every piece into the open sequence with the least room that holds it; of equals, the one longest at that room."""
    sequences: list[list[Piece]] = []
    arrived: list[int] = []  # when each sequence came to its present room
    for now, (piece, alone) in enumerate(sizes):
        rooms = [context - sum(p[2] for p in pieces) for pieces in sequences]
        holding = [i for i in range(len(sequences)) if rooms[i] >= piece[2]]
        if alone or not holding:
            sequences.append([piece])
            arrived.append(now)
            continue
        best = min(holding, key=lambda i: (rooms[i], arrived[i]))
        sequences[best].append(piece)
        arrived[best] = now
    return sequences


def cut(lengths: list[int], context: int, handling: str, stride: int, overlap: int) -> list[tuple[Piece, bool]]:
    """Pieces in document order; the flag says that the piece fills a sequence because its document was cut."""
    pieces: list[tuple[Piece, bool]] = []
    for document, length in enumerate(lengths):
        windows = -(-length // context)
        if length <= context:
            pieces += [((document, 0, length), False)] if length else []
        elif handling == "spread" and windows * context - length <= overlap * (windows - 1):
            gaps = windows - 1
            pieces += [((document, i * (length - context) // gaps, context), True) for i in range(windows)]
        elif handling in ("split", "spread"):
            for offset in range(0, length, context):
                part = min(context, length - offset)
                pieces.append(((document, offset, part), part == context))
        elif handling == "slide":
            offset = 0
            while offset + context < length:
                pieces.append(((document, offset, context), True))
                offset += stride
            pieces.append(((document, length - context, context), True))
        elif handling == "truncate":
            pieces.append(((document, 0, context), True))
    return pieces


def pack(
    lengths: list[int],
    context: int,
    strategy: str,
    stride: int,
    overlap: int | None = None,
    threshold: int | None = None,
) -> list[list[Piece]]:
    """Sequences of pieces, as `harness.packing.strategies.pack` should give them."""
    overlap = context // 2 if overlap is None else overlap
    threshold = int(0.05 * context) if threshold is None else threshold
    name, _, handling = strategy.partition("+")
    if name == "best-fit":
        pieces = cut(lengths, context, handling, stride, overlap)
        # a stable sort: pieces that were cut full come before whole documents of the same length
        return best_fit(sorted(pieces, key=lambda p: (-p[0][2], not p[1])), context)
    if name == "best-fit-stream":
        return best_fit(cut(lengths, context, handling, stride, overlap), context)
    stream = [[]]
    for document, length in enumerate(lengths):
        room = context - sum(p[2] for p in stream[-1])
        stays = name == "concat-then-split" or (name == "pad-or-cut" and room > threshold)
        if not stays and room < length and stream[-1]:
            if name == "restart-last-document" and room:
                stream[-1].append((document, 0, room))
            stream.append([])
        offset = 0
        while offset < length:
            room = context - sum(p[2] for p in stream[-1])
            if not room:
                stream.append([])
                continue
            part = min(room, length - offset)
            stream[-1].append((document, offset, part))
            offset += part
    return [pieces for pieces in stream if pieces]
