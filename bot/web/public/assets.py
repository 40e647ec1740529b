"""Files and pages that are the same for everybody: held in memory, compressed once, revalidated by ETag."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

YEAR = "public, max-age=31536000, immutable"
SHORT = "public, max-age=300, stale-while-revalidate=86400"
ASK = "no-cache"


@dataclass(frozen=True)
class Asset:
    """Bytes to serve with the type they have."""

    body: bytes
    type: str
    shared: bool = False  # other sites' pages may load it
    etag: str = field(init=False)
    packed: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", hashlib.sha256(self.body).hexdigest()[:20])
        object.__setattr__(self, "packed", gzip.compress(self.body, 9, mtime=0))

    @property
    def version(self) -> str:
        """What changes whenever the content does: for ?v= in addresses."""
        return self.etag[:10]

    def answer(self, request: Request, cache: str = ASK) -> Response:
        """The asset, or 304 where the browser has it; for ever where the address names this very version."""
        if request.query_params.get("v") == self.version:
            cache = YEAR
        gzipped = "gzip" in request.headers.get("accept-encoding", "")
        etag = f'"{self.etag}{"-gz" if gzipped else ""}"'
        headers = {"Cache-Control": cache, "ETag": etag, "Vary": "Accept-Encoding"}
        if self.shared:
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if etag in [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        if gzipped:
            headers["Content-Encoding"] = "gzip"
        return Response(self.packed if gzipped else self.body, headers=headers, media_type=self.type)
