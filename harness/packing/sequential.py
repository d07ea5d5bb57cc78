"""The strategies that go through the documents once, in their order: concat, restart, pad, pad or cut."""

from harness.packing.compiled import Columns, IntArray, compiled, wide

CONCAT, RESTART, PAD, PAD_OR_CUT = range(4)


@compiled
def walk(lengths: IntArray, context: int, rule: int, most: int, columns: Columns) -> tuple[int, int]:
    """Fill the columns with the pieces of every document, in the order of the sequences.

    ``rule`` says what a document does that does not fit into the room left: CONCAT goes on in the next sequence,
    RESTART leaves its head there and begins again in the next one, PAD leaves the room empty, PAD_OR_CUT does so if the
    room is at most ``most`` tokens and else goes on as CONCAT does. A document longer than the context, once it stands
    at a sequence's start, goes on from sequence to sequence under every rule. Returns (pieces, sequences).
    """
    pieces = current = 0
    room = wide(context)
    for document in range(len(lengths)):
        size = wide(lengths[document])
        if size > room and room < context and rule != CONCAT and (rule != PAD_OR_CUT or room <= most):
            if rule == RESTART and room > 0:
                _place(columns, pieces, document, 0, room, current)
                pieces += 1
            current += 1
            room = wide(context)
        start = wide(0)
        while start < size:
            if room == 0:
                current += 1
                room = wide(context)
            part = min(room, size - start)
            _place(columns, pieces, document, start, part, current)
            pieces += 1
            start += part
            room -= part
    return pieces, current + 1 if pieces > 0 else 0


@compiled
def _place(columns: Columns, piece: int, document: int, offset: int, length: int, sequence: int) -> None:
    columns[0][piece] = document
    columns[1][piece] = offset
    columns[2][piece] = length
    columns[3][piece] = sequence
