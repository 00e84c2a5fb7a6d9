"""Reads of evidence: by the enterprise that signed, and by operators. Nobody else sees it."""

from __future__ import annotations

from uuid import UUID

from clearwindow.core.errors import NotFoundError
from clearwindow.postgres.paging import Listing
from clearwindow.runtime import Runtime
from clearwindow.signing.evidence import store
from clearwindow.signing.evidence.models import Evidence, EvidenceFilter, FullEvidence


def list_evidence(runtime: Runtime, wanted: EvidenceFilter) -> Listing[Evidence]:
    """Returns one page, newest first."""
    with runtime.transaction() as tx:
        return store.list_evidence(tx, wanted)


def get(runtime: Runtime, evidence_id: UUID, enterprise_id: str | None) -> FullEvidence:
    """Returns one signed request. ``enterprise_id``: only if this enterprise signed it.

    Raises:
        NotFoundError: there is none, or another enterprise signed it.
    """
    with runtime.transaction() as tx:
        found = store.find(tx, evidence_id, enterprise_id)
    if found is None:
        raise NotFoundError("signed_request_unknown", "there is no such signed request")
    return found
