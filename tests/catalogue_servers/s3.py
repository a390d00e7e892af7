"""S3 storage that asks for signatures (AWS Signature Version 4), as `eodata.dataspace.copernicus.eu` does."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, quote

from catalogue_servers.bodies import Content, send_content, send_reply
from catalogue_servers.files import inside
from catalogue_servers.loopback import LoopbackServer, Receive, Scope, Send

SKEW = timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request, ?"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class S3Server(LoopbackServer):
    """Buckets by path (`/{bucket}/{key}`), for whoever signs with a key; refusals as those of S3.

    Attributes:
        buckets: Folder by name.
        keys: Secret keys by access key.
        clock: Tells the time, seconds since 1970.
    """

    def __init__(self, buckets: Mapping[str, Path], keys: Mapping[str, str]) -> None:
        self.buckets, self.keys = dict(buckets), dict(keys)
        self.clock: Callable[[], float] = time.time
        super().__init__(self._serve)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        now = datetime.fromtimestamp(self.clock(), UTC)
        code = refusal(scope["method"], path, query, headers, self.keys, now)
        bucket, _, key = scope["path"].lstrip("/").partition("/")
        file = inside(self.buckets[bucket], key) if bucket in self.buckets and key else None
        if code is None and file is not None:
            await send_content(Content.of_file(file), scope, send)
            return
        status, code = (403, code) if code else (404, "NoSuchKey")
        # As S3 does, a refusal repeats the access key and what was signed: no client may show it.
        text = f"<Error><Code>{code}</Code><AWSAccessKeyId>{headers.get('authorization', '')}</AWSAccessKeyId></Error>"
        date = {"content-type": "application/xml", "date": now.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        await send_reply(send, status, text.encode(), date)


def refusal(
    method: str, path: str, query: str, headers: Mapping[str, str], keys: Mapping[str, str], now: datetime
) -> str | None:
    """Error code of S3 for a request without a body; None if its signature is right.

    Args:
        method: Of the request.
        path: As sent.
        query: As sent.
        headers: By lower-case name.
        keys: Secret keys by access key.
        now: By the clock of the server.
    """
    match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if match is None:
        return "AccessDenied"
    names = match["names"].split(";")
    stamp = headers.get("x-amz-date", "")
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names) or not stamp.startswith(match["day"]):
        return "AccessDenied"
    if match["key"] not in keys:
        return "InvalidAccessKeyId"
    if abs(datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - now) > SKEW:
        return "RequestTimeTooSkewed"
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(query, True))
    canonical = f"{method}\n{path}\n{'&'.join(f'{name}={value}' for name, value in pairs)}\n"
    canonical += "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical += f"\n{match['names']}\n{headers['x-amz-content-sha256']}"
    scope = f"{match['day']}/{match['region']}/s3/aws4_request"
    signed = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = hmac.new(f"AWS4{keys[match['key']]}".encode(), match["day"].encode(), hashlib.sha256).digest()
    for word in (match["region"], "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    right = hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()
    return None if hmac.compare_digest(right, match["signature"]) else "SignatureDoesNotMatch"
