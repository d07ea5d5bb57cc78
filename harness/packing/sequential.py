"""The three strategies that go through the documents once, in their order: concat, restart, pad."""

from harness.packing.compiled import Columns, IntArray, compiled, wide

CONCAT, RESTART, PAD = range(3)


@compiled
def walk(lengths: IntArray, context: int, rule: int, columns: Columns) -> tuple[int, int]:
    """Fill the columns with the pieces of every document, in the order of the sequences.

    ``rule`` says what a document does that does not fit into the room left: CONCAT goes on in the next
    sequence, RESTART leaves its head there and begins again in the next one, PAD leaves the room
    empty. A document longer than the context, once it stands at a sequence's start, goes on from
    sequence to sequence under every rule. Returns (pieces, sequences).
    """
    pieces = current = 0
    room = wide(context)
    for document in range(len(lengths)):
        size = wide(lengths[document])
        if size > room and room < context and rule != CONCAT:
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
