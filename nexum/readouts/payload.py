"""Payloads for readers: the value where they may see it and it would not drown the page, always its hash and size."""

from __future__ import annotations

from nexum.core.canonical import Json, from_bytes, sha256_hex
from nexum.core.values import BLOB, Ref
from nexum.errors import InternalError
from nexum.readouts.document import PayloadView
from nexum.store.verbs import Verbs

READ = 1 << 20  # bytes; a larger payload is a download


def payload_view(store: Verbs, run_id: str, tenant: str, name: str, ref: Ref, *, may_read: bool) -> PayloadView:
    """A payload with its value; only hash and size when it may not be read, is too large, or cannot be found."""
    view = PayloadView(name=name, hash=ref.hash, size=ref.size, seq=ref.seq)
    if not may_read:
        return view
    if ref.size > READ:
        return view.model_copy(update={"too_large": True})
    try:
        data = payload_bytes(store, run_id, tenant, ref)
    except InternalError as error:
        return view.model_copy(update={"missing": str(error.message)})
    return view.model_copy(update={"given": True, "value": read(data)})


def payload_bytes(store: Verbs, run_id: str, tenant: str, ref: Ref) -> bytes:
    """The bytes of a reference. Raises `InternalError` NX-S121 when they are gone, NX-S101 when they are damaged."""
    data = store.blob(tenant, ref.hash) if ref.seq == BLOB else store.payload(run_id, ref.seq)
    if data is None or sha256_hex(data) != ref.hash:
        raise InternalError(f"the payload {ref.hash[:12]} is missing or damaged", code="NX-S121", where=f"run {run_id}")
    return data


def read(data: bytes) -> Json:
    """The JSON value, or the text as it is."""
    try:
        return from_bytes(data)
    except ValueError:
        return data.decode("utf-8", "replace")
