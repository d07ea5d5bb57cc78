"""The three strategies that go through the documents once, in their order: concat, restart, pad."""

from harness.packing.compiled import IntArray, compiled, wide

CONCAT, RESTART, PAD = range(3)


@compiled
def walk(
    lengths: IntArray,
    context: int,
    rule: int,
    document: IntArray,
    offset: IntArray,
    length: IntArray,
    sequence: IntArray,
) -> tuple[int, int]:
    """Fill the four arrays with the pieces of every document, in the order of the sequences.

    ``rule`` says what a document does that does not fit into the room left: CONCAT goes on in the next
    sequence, RESTART leaves its head there and begins again in the next one, PAD leaves the room
    empty. A document longer than the context, once it stands at a sequence's start, goes on from
    sequence to sequence under every rule. Returns (pieces, sequences).
    """
    pieces = 0
    current = 0
    room = wide(context)
    for index in range(len(lengths)):
        size = wide(lengths[index])
        if size > room and room < context and rule != CONCAT:
            if rule == RESTART and room > 0:
                document[pieces] = index
                offset[pieces] = 0
                length[pieces] = room
                sequence[pieces] = current
                pieces += 1
            current += 1
            room = wide(context)
        start = wide(0)
        while start < size:
            if room == 0:
                current += 1
                room = wide(context)
            part = min(room, size - start)
            document[pieces] = index
            offset[pieces] = start
            length[pieces] = part
            sequence[pieces] = current
            pieces += 1
            start += part
            room -= part
    return pieces, current + 1 if pieces > 0 else 0
