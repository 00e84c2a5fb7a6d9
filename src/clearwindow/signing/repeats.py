"""The answer to a request whose key belongs to a request of other content. Protocol §2."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID


def differs(key: str, record: str, record_id: UUID, fields: Sequence[str]) -> tuple[str, dict[str, object]]:
    """Returns the text and the details of the error: the fields that differ, and the record of the first request.

    The text does not advise another key: who repeats a request with a new key has it carried out twice.

    Args:
        key: the field that is the key, or what it stands for.
        record: what the first request made, such as ``settlement``.
        record_id: the id of that record.
        fields: the fields that differ; empty if only the bytes of the two requests could be compared.
    """
    how = f"differs from it in {', '.join(fields)}" if fields else "has other bytes than that one"
    text = (
        f"{key}: an earlier request made the {record} {record_id}, and this request {how}:"
        f" read the {record}; to repeat the earlier request, send it as it was"
    )
    return text, {"fields": list(fields), f"{record}Id": str(record_id)}
