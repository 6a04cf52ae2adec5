"""Payloads as people read them: indented JSON or the literal text, cut where it would drown the page."""

from __future__ import annotations

import json

from nexum.core.canonical import from_bytes, sha256_hex
from nexum.core.values import BLOB, Ref
from nexum.errors import InternalError
from nexum.readouts.document import PayloadView
from nexum.store.verbs import Verbs

SHOWN = 64 << 10  # characters on a page; the whole is a download
READ = 1 << 20  # bytes; a larger payload is not even read for a page


def payload_view(store: Verbs, run_id: str, tenant: str, name: str, ref: Ref, *, may_read: bool) -> PayloadView:
    """A payload with its text; only hash and size when it may not be read, is too large, or cannot be found."""
    view = PayloadView(name=name, hash=ref.hash, size=ref.size, seq=ref.seq)
    if not may_read:
        return view
    if ref.size > READ:
        return view.model_copy(update={"cut": True})
    try:
        data = payload_bytes(store, run_id, tenant, ref)
    except InternalError as error:
        return view.model_copy(update={"missing": str(error.message)})
    text = pretty(data)
    return view.model_copy(update={"text": text[:SHOWN], "cut": len(text) > SHOWN})


def payload_bytes(store: Verbs, run_id: str, tenant: str, ref: Ref) -> bytes:
    """The bytes of a reference. Raises `InternalError` NX-S121 when they are gone, NX-S101 when they are damaged."""
    data = store.blob(tenant, ref.hash) if ref.seq == BLOB else store.payload(run_id, ref.seq)
    if data is None or sha256_hex(data) != ref.hash:
        raise InternalError(f"the payload {ref.hash[:12]} is missing or damaged", code="NX-S121", where=f"run {run_id}")
    return data


def pretty(data: bytes) -> str:
    """Indented JSON, or the text as it is."""
    try:
        return json.dumps(from_bytes(data), indent=2, ensure_ascii=False)
    except ValueError:
        return data.decode("utf-8", "replace")
