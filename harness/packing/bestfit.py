"""Exact best-fit packing at the cost of a few passes over the lengths.

Both packers hold, for every remaining room, a queue of the sequences that have exactly that much left,
and a bitmap over the rooms finds the smallest one that still takes a document. Best-fit decreasing goes
one step further and moves *groups*: all documents of one length into runs of sequences of one
remaining room, so that its cost follows the number of distinct groups.

Both give what placing the documents one at a time gives, ties included: among sequences of equal
remaining room the one that has stood at that room longest is taken.
"""

from typing import Any

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from harness.packing.compiled import Columns, IntArray, compiled, wide

NOBODY = -1

Bitmap = tuple[Any, Any, Any]  # words over the rooms, over those words, over these


@compiled
def _bitmap(context: int) -> Bitmap:
    """No room marked yet, of 0..context. A bit of an upper word says that a lower word is not zero."""
    low = np.zeros((context >> 6) + 1, np.uint64)
    middle = np.zeros((context >> 12) + 1, np.uint64)
    high = np.zeros((context >> 18) + 1, np.uint64)
    return low, middle, high


@compiled
def _mark(bitmap: Bitmap, room: int) -> None:
    one = np.uint64(1)
    bitmap[0][room >> 6] |= one << np.uint64(room & 63)
    bitmap[1][room >> 12] |= one << np.uint64((room >> 6) & 63)
    bitmap[2][room >> 18] |= one << np.uint64((room >> 12) & 63)


@compiled
def _marked(bitmap: Bitmap, room: int) -> bool:
    marked: bool = (bitmap[0][room >> 6] >> np.uint64(room & 63)) & np.uint64(1) != 0
    return marked


@compiled
def _clear(bitmap: Bitmap, room: int) -> None:
    low, middle, high = bitmap
    one = np.uint64(1)
    low[room >> 6] &= ~(one << np.uint64(room & 63))
    if low[room >> 6] == 0:
        middle[room >> 12] &= ~(one << np.uint64((room >> 6) & 63))
        if middle[room >> 12] == 0:
            high[room >> 18] &= ~(one << np.uint64((room >> 12) & 63))


@compiled
def _first_bit(words: Any, start: int) -> int:
    """The first set bit at or after ``start`` within start's own word, or NOBODY."""
    word = start >> 6
    if word >= len(words):
        return NOBODY
    rest = words[word] >> np.uint64(start & 63)
    if rest == 0:
        return NOBODY
    found: int = start + wide(trailing_zeros(rest))
    return found


@compiled
def _smallest_room(bitmap: Bitmap, size: int) -> int:
    """The smallest marked room of at least ``size``, or NOBODY."""
    low, middle, high = bitmap
    found = _first_bit(low, size)
    if found != NOBODY:
        return found
    word = _first_bit(middle, (size >> 6) + 1)
    if word == NOBODY:
        group = _first_bit(high, (size >> 12) + 1)
        top = (size >> 18) + 1
        while group == NOBODY and top < len(high):
            group = _first_bit(high, top << 6)
            top += 1
        if group == NOBODY:
            return NOBODY
        word = _first_bit(middle, group << 6)
    return _first_bit(low, word << 6)


# The queue of a room: ``ends[room]`` is its first and its last member if the bitmap marks the room,
# and means nothing if it does not.


@compiled
def _enqueue(bitmap: Bitmap, ends: IntArray, following: IntArray, room: int, member: int) -> None:
    """Put ``member`` at the end of the queue of ``room``."""
    if _marked(bitmap, room):
        following[ends[room, 1]] = member
    else:
        ends[room, 0] = member
        _mark(bitmap, room)
    following[member] = NOBODY
    ends[room, 1] = member


@compiled
def _dequeue(bitmap: Bitmap, ends: IntArray, following: IntArray, room: int) -> None:
    """Take the first of the queue of ``room`` away."""
    ends[room, 0] = following[ends[room, 0]]
    if ends[room, 0] == NOBODY:
        _clear(bitmap, room)


@compiled
def by_length(sizes: IntArray, lengths: IntArray, counts: IntArray, ranked: IntArray, offset_of: IntArray) -> None:
    """The documents of non-zero ``sizes`` into ``ranked``: longest first, equal ones in their order.

    ``counts[s]`` must hold the number of sizes equal to s; it is turned into the rank where those end.
    ``offset_of`` (zeros) gets what each document's length has beyond its size: the tokens before the rest of
    one that was cut.
    """
    position = 0
    for size in range(len(counts) - 1, 0, -1):
        count = counts[size]
        counts[size] = position
        position += count
    for document in range(len(sizes)):
        size = sizes[document]
        if size > 0:
            rank = counts[size]
            counts[size] += 1
            ranked[rank] = document
            if lengths[document] != size:
                offset_of[rank] = lengths[document] - size


@compiled
def decreasing(until: IntArray, most: int, size_of: IntArray, sequence: IntArray) -> int:
    """Best-fit decreasing: size and sequence of every document, by rank from the longest to the shortest.

    ``until[s]`` is the rank where the documents of s tokens end, for s up to the context (`by_length`);
    ``size_of`` and ``sequence`` (one entry per document) are filled; ``most`` bounds the number of
    sequences. Returns how many were opened.
    """
    context = len(until) - 1
    bitmap = _bitmap(context)
    ends = np.empty((context + 1, 2), sequence.dtype)
    # A run is a stretch of sequences, first..first + count - 1, that have the same room left.
    first, count, following = np.empty((3, most), sequence.dtype)
    runs = opened = rank = 0
    for size in range(context, 0, -1):
        while rank < until[size]:
            left = wide(until[size]) - rank
            room = _smallest_room(bitmap, size)
            fresh = room == NOBODY
            if fresh:
                room = context
            each = min(room // size, left) if left > 1 and room >= 2 * size else 1
            taken = left // each if each > 1 else left
            begin, run = opened, runs
            if fresh:
                opened += taken
            else:
                front = wide(ends[room, 0])
                begin = wide(first[front])
                taken = min(taken, wide(count[front]))
                if taken == count[front]:
                    _dequeue(bitmap, ends, following, room)
                    run = front
                else:
                    first[front] += taken
                    count[front] -= taken
            runs += run == runs
            first[run], count[run] = begin, taken
            rank = _assign(size_of, sequence, rank, size, each, begin, taken)
            room -= each * size
            if room > 0:
                _enqueue(bitmap, ends, following, room, run)
    return opened


@compiled
def _assign(size_of: IntArray, sequence: IntArray, rank: int, size: int, each: int, begin: int, taken: int) -> int:
    """Give ``each`` documents to every one of the sequences taken, from ``rank`` on; the rank after them."""
    for member in range(begin, begin + taken):
        for _ in range(each):
            size_of[rank] = size
            sequence[rank] = member
            rank += 1
    return rank


@compiled
def in_order(
    sizes: IntArray,
    lengths: IntArray,
    full_document: IntArray,
    context: int,
    most: int,
    placed: Columns,
    full_sequence: IntArray,
) -> int:
    """Best-fit in the order of the documents: fills ``placed`` with every document of non-zero size.

    ``full_document`` lists (sorted) the document of every piece that fills a sequence by itself; these
    open their sequences, put into ``full_sequence``, when their document comes. ``most`` bounds
    the number of sequences that are shared. Returns how many were opened in all.
    """
    bitmap = _bitmap(context)
    ends = np.empty((context + 1, 2), full_sequence.dtype)
    number, following = np.empty((2, most), full_sequence.dtype)  # of a shared sequence: its number among all
    shared = opened = full = rank = 0
    for document in range(len(sizes)):
        while full < len(full_document) and full_document[full] == document:
            full_sequence[full] = opened
            opened += 1
            full += 1
        size = wide(sizes[document])
        if size == 0:
            continue
        room = _smallest_room(bitmap, size)
        if room == NOBODY:
            room = context
            member = shared
            number[member] = opened
            shared += 1
            opened += 1
        else:
            member = wide(ends[room, 0])
            _dequeue(bitmap, ends, following, room)
        _place(placed, rank, document, lengths[document] - size, size, number[member])
        rank += 1
        if room > size:
            _enqueue(bitmap, ends, following, room - size, member)
    return opened


@compiled
def _place(placed: Columns, rank: int, document: int, offset: int, length: int, sequence: int) -> None:
    placed[0][rank] = document
    placed[1][rank] = offset
    placed[2][rank] = length
    placed[3][rank] = sequence
