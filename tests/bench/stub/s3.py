"""Objects: names, sizes and ETags; bytes are kept of what was put, so that manifests can be read again."""

import re
import time
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Mapping
from html import unescape
from urllib.parse import parse_qs, quote, unquote

from tests.bench.stub.http import Answer, Request

BUCKET = "media"
ORIGINALS = "proxy_video/"
SIZE, ETAG = 1000, "0123456789abcdef0123456789abcdef"
PAGE = 1000
TIME = "2026-01-05T10:00:00.000Z"
_COPIED = (
    f"<CopyObjectResult><LastModified>{TIME}</LastModified><ETag>&quot;{ETAG}&quot;</ETag></CopyObjectResult>"
)
_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)
_SLOW = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_OWNER = f"<Owner><ID>{'0123456789abcdef' * 4}</ID></Owner>"
_ETAG_LINE = f'ETag: "{ETAG}"\r\n'


class Bucket:
    """All objects of all buckets, by key. Any key below ``ORIGINALS`` is there, of one size.

    With ``rate`` only so many copies are taken in a second of the wall clock; the others are told SlowDown.
    """

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.sizes: dict[str, int] = {}
        self.bodies: dict[str, bytes] = {}
        self.rate = 0
        self.taken: Counter[int] = Counter()
        self.first_copy, self.last_copy = 0.0, 0.0
        self.first_call, self.last_call = 0.0, 0.0
        self.counts: Counter[str] = Counter()

    def put(self, key: str, size: int, body: bytes | None = None) -> None:
        """Lay down an object."""
        if key not in self.sizes:
            insort(self.keys, key)
        self.sizes[key] = size
        if body is not None:
            self.bodies[key] = body

    def answer(self, request: Request) -> Answer:
        """Answer one call."""
        self.last_call = time.time()
        self.first_call = self.first_call or self.last_call
        key = unquote(request.path.lstrip("/").partition("/")[2])
        if request.method == "PUT":
            return (
                self._copy(request, key) if b"x-amz-copy-source:" in request.head else self._put(request, key)
            )
        if request.method == "HEAD":
            return self._head(key)
        if request.method == "GET":
            return self._ask(request.query) if not key else self._get(request, key)
        if request.method == "POST":
            return self._delete_many(request.body)
        self.counts["DeleteObject"] += 1
        self._forget(key)
        return Answer(status=204)

    def _copy(self, request: Request, key: str) -> Answer:
        now = time.time()
        if self.rate and self.taken[int(now)] >= self.rate:
            self.counts["SlowDown"] += 1
            return Answer(_SLOW, 503)
        self.taken[int(now)] += 1
        self.first_copy = self.first_copy or now
        self.last_copy = now
        self.counts["CopyObject"] += 1
        self.put(key, SIZE)
        return Answer(_COPIED.encode())

    def _put(self, request: Request, key: str) -> Answer:
        self.counts["PutObject"] += 1
        self.put(key, len(request.body), request.body)
        return Answer(headers=_ETAG_LINE)

    def _head(self, key: str) -> Answer:
        self.counts["HeadObject"] += 1
        size = SIZE if key.startswith(ORIGINALS) else self.sizes.get(key)
        return Answer(status=404) if key and size is None else Answer(headers=_ETAG_LINE, length=size or 0)

    def _get(self, request: Request, key: str) -> Answer:
        self.counts["GetObject"] += 1
        body = self.bodies.get(key)
        if body is None:
            return Answer(b"<Error><Code>NoSuchKey</Code></Error>", 404)
        return Answer(body, headers=_ETAG_LINE)

    def _ask(self, query: str) -> Answer:
        asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        return self._versions(asked) if "versions" in asked else self._list(asked)

    def _page(self, prefix: str, after: str) -> tuple[list[str], bool]:
        """Return the next thousand keys, and whether there are more."""
        first = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after))
        last = bisect_left(self.keys, prefix + "\U0010ffff")
        return self.keys[first : min(last, first + PAGE)], first + PAGE < last

    def _versions(self, asked: Mapping[str, str]) -> Answer:
        self.counts["ListObjectVersions"] += 1
        page, more = self._page(asked.get("prefix", ""), asked.get("key-marker", ""))
        entries = "".join(
            f"<Version><Key>{quote(key)}</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
            f"<LastModified>{TIME}</LastModified><ETag>&quot;{ETAG}&quot;</ETag>"
            f"<Size>{self.sizes[key]}</Size><StorageClass>STANDARD</StorageClass>{_OWNER}</Version>"
            for key in page
        )
        marker = f"<NextKeyMarker>{quote(page[-1])}</NextKeyMarker>" if more else ""
        marker += "<NextVersionIdMarker>null</NextVersionIdMarker>" if more else ""
        text = (
            f"<ListVersionsResult><EncodingType>url</EncodingType>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}{entries}</ListVersionsResult>"
        )
        return Answer(text.encode())

    def _list(self, asked: Mapping[str, str]) -> Answer:
        self.counts["ListObjectsV2"] += 1
        after = asked.get("continuation-token") or asked.get("start-after", "")
        page, more = self._page(asked.get("prefix", ""), after)
        entries = "".join(
            f"<Contents><Key>{quote(key)}</Key><LastModified>{TIME}</LastModified>"
            f"<ETag>&quot;{ETAG}&quot;</ETag><Size>{self.sizes[key]}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{quote(page[-1])}</NextContinuationToken>" if more else ""
        text = (
            f"<ListBucketResult><EncodingType>url</EncodingType><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
        )
        return Answer(text.encode())

    def _delete_many(self, body: bytes) -> Answer:
        self.counts["DeleteObjects"] += 1
        for found in _KEY.finditer(body):
            self._forget(unescape(found.group(1).decode()))
        return Answer(b"<DeleteResult></DeleteResult>")

    def _forget(self, key: str) -> None:
        if key in self.sizes:
            del self.sizes[key]
            del self.keys[bisect_left(self.keys, key)]
            self.bodies.pop(key, None)
