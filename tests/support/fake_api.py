"""Documents behind the requests of ``kube.connection.Connection``, without a server: optimistic locking, and faults on demand."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Mapping
from typing import Any

from meshctl_operator.kube.connection import CONFLICT, NOT_FOUND, ApiFailure

Document = dict[str, Any]


class FakeApi:
    """Holds documents by path; ``requests`` has method, path and body of each write.

    ``fail`` is raised by every request while it is set, ``fail_patches`` by every PATCH.
    """

    def __init__(self, documents: Mapping[str, Document] | None = None) -> None:
        """Start with documents by path."""
        self.documents: dict[str, Document] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.fail: Exception | None = None
        self.fail_patches: Exception | None = None
        self._version = 0
        self._lock = threading.Lock()
        for path, document in (documents or {}).items():
            self._store(path, document)

    def get(self, path: str, params: Mapping[str, str] | None = None, *, accept: str = "") -> Document:
        """Return a document, or those below a path with some labels."""
        del accept
        with self._lock:
            self._check()
            if path in self.documents:
                return copy.deepcopy(self.documents[path])
            selector = (params or {}).get("labelSelector")
            if selector is None:
                raise ApiFailure(f"GET {path}: 404", NOT_FOUND)
            wanted = dict(part.split("=") for part in selector.split(","))
            below = [document for found, document in self.documents.items() if found.startswith(f"{path}/")]
            return {"items": [copy.deepcopy(each) for each in below if wanted.items() <= (each["metadata"].get("labels") or {}).items()]}

    def send(
        self, method: str, path: str, body: bytes, params: Mapping[str, str] | None = None, *, content_type: str = "", timeout: float = 0.0
    ) -> Document:
        """Write a document."""
        del params, timeout
        given = json.loads(body) if body else {}
        with self._lock:
            self.requests.append((method, path, given))
            self._check()
            match method:
                case "POST":
                    place = f"{path}/{given['metadata']['name']}"
                    if place in self.documents:
                        raise ApiFailure(f"POST {path}: 409", CONFLICT)
                    return self._store(place, given)
                case "DELETE":
                    return self.documents.pop(path, {})
                case "PUT":
                    self._guard(path, given)
                    return self._store(path, given)
                case _:
                    return self._patch(path.removesuffix("/status"), given, apply="apply" in content_type)

    def _patch(self, path: str, given: Document, *, apply: bool) -> Document:
        if self.fail_patches is not None:
            raise self.fail_patches
        self._guard(path, given)
        document = copy.deepcopy(self.documents[path])
        for field, value in given.items():
            if field == "status":
                kept = document.get("status", {}).get("conditions", []) if apply else []
                types = {entry["type"] for entry in value["conditions"]}
                document["status"] = {"conditions": [*(entry for entry in kept if entry["type"] not in types), *value["conditions"]]}
            elif field != "metadata":
                document[field] = value
        return self._store(path, document)

    def _guard(self, path: str, given: Document) -> None:
        if path not in self.documents:
            raise ApiFailure(f"{path}: 404", NOT_FOUND)
        version = given.get("metadata", {}).get("resourceVersion")
        if version and version != self.documents[path]["metadata"]["resourceVersion"]:
            raise ApiFailure(f"{path}: 409", CONFLICT)

    def _check(self) -> None:
        if self.fail is not None:
            raise self.fail

    def _store(self, path: str, document: Document) -> Document:
        self._version += 1
        stored = copy.deepcopy(document)
        stored["metadata"] = {**stored["metadata"], "resourceVersion": str(self._version)}
        self.documents[path] = stored
        return copy.deepcopy(stored)
