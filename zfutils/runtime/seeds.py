"""Seeds of everything random, each from the few numbers that it depends on."""

import hashlib


def mixed(*numbers: int) -> int:
    """One seed from several numbers; near numbers give unrelated seeds."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
