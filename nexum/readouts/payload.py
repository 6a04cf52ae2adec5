"""Payloads for readers: the value where they may see it and it would not drown the page, always its hash and size."""

from __future__ import annotations

import math
from collections.abc import Iterable

from nexum.core.canonical import MAX_DEPTH, Json, from_bytes, legible, sha256_hex
from nexum.core.values import BLOB, Ref
from nexum.errors import InternalError
from nexum.readouts.document import PayloadView
from nexum.store.reading import blobs_of, inline_payloads
from nexum.store.verbs import Verbs

READ = 1 << 20  # bytes; a larger payload is a download


class Bodies:
    """The payloads of one run, for one reader. What `expect` has fetched together costs no query of its own."""

    def __init__(self, store: Verbs, run_id: str, tenant: str, *, may_read: bool) -> None:
        self._store = store
        self._run_id = run_id
        self._tenant = tenant
        self._may_read = may_read
        self._held: dict[int, bytes] = {}
        self._blobs: dict[str, bytes] = {}

    def expect(self, refs: Iterable[Ref | None]) -> None:
        """Fetch these payloads in two queries: the inline ones, and the blobs."""
        if not self._may_read:
            return
        wanted = [ref for ref in refs if ref is not None and ref.size <= READ]
        seqs = {ref.seq for ref in wanted if ref.seq != BLOB}
        self._held |= inline_payloads(self._store, self._run_id, sorted(seqs - self._held.keys()))
        names = {ref.hash for ref in wanted if ref.seq == BLOB}
        try:
            self._blobs |= blobs_of(self._store, self._tenant, sorted(names - self._blobs.keys()))
        except InternalError:  # one of them is damaged: each is read for itself, and that one says so
            return

    def view(self, name: str, ref: Ref) -> PayloadView:
        """A payload with its value; only hash and size when it may not be read, is too large, or cannot be found."""
        view = PayloadView(name=name, hash=ref.hash, size=ref.size, seq=ref.seq)
        if not self._may_read:
            return view
        if ref.size > READ:
            return view.model_copy(update={"too_large": True})
        try:
            data = self._blobs.get(ref.hash) if ref.seq == BLOB else self._held.get(ref.seq)
            if data is None:
                data = payload_bytes(self._store, self._run_id, self._tenant, ref)
            elif sha256_hex(data) != ref.hash:
                raise damaged(self._run_id, ref)
        except InternalError as error:
            return view.model_copy(update={"missing": str(error.message)})
        return view.model_copy(update={"given": True, "value": read(data)})

    def maybe(self, name: str, ref: Ref | None) -> PayloadView | None:
        """As `view`; None for None."""
        return None if ref is None else self.view(name, ref)


def payload_bytes(store: Verbs, run_id: str, tenant: str, ref: Ref) -> bytes:
    """The bytes of a reference. Raises `InternalError` NX-S121 when they are gone, NX-S101 when they are damaged."""
    data = store.blob(tenant, ref.hash) if ref.seq == BLOB else store.payload(run_id, ref.seq)
    if data is None or sha256_hex(data) != ref.hash:
        raise damaged(run_id, ref)
    return data


def damaged(run_id: str, ref: Ref) -> InternalError:
    """The error for bytes that are gone or do not hash to their name."""
    return InternalError(f"the payload {ref.hash[:12]} is missing or damaged", code="NX-S121", where=f"run {run_id}")


def read(data: bytes) -> Json:
    """The JSON value as every reader can spell it, or the text as it is: models write what is almost JSON."""
    try:
        return _shown(from_bytes(data), 0)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def _shown(value: Json, depth: int) -> Json:
    """The value with halves of surrogate pairs as escapes. Raises `ValueError` for what is not quite JSON."""
    if depth > MAX_DEPTH or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("not quite JSON")
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, dict):
        return {legible(key): _shown(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner, depth + 1) for inner in value]
    return value
