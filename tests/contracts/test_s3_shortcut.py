"""Copies sent past botocore's transport: as safe as by it, and by it wherever the answer is not clear."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from consumers.core.faults import Fault, PassingFault
from consumers.core.objects import Copy
from daemon.adapters.backoff import Backoff
from daemon.adapters.s3 import S3Objects
from daemon.calls import watch_calls
from daemon.metrics import Metrics
from tests.aws import s3_client
from tests.contracts.s3_stub import THREADS, always, failed, in_turn, s3
from tests.http_stub import Reply, Stub, serve

COPIED = Reply(200, b'<?xml version="1.0"?>\n\n<CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>')
ONCE = Backoff(tries=1)


def copies(number: int = 1) -> list[Copy]:
    return [Copy(n, "media", f"k {n}", "v1", f"copies/{n}", "video/mp4") for n in range(number)]


def only_fault(objects: S3Objects) -> Fault | None:
    ((_, fault),) = objects.copies(copies())
    return fault


def test_an_answer_that_did_not_come_is_asked_for_again_by_botocore() -> None:
    with s3(in_turn(Reply(silent=True), COPIED), ONCE) as (objects, stub):
        assert only_fault(objects) is None
    first, second = stub.requests
    told = "x-amz-copy-source", "x-amz-copy-source-if-match", "Content-Type", "x-amz-metadata-directive"
    assert [first.headers[name] for name in told] == [second.headers[name] for name in told]
    assert first.path == second.path


@pytest.mark.parametrize(
    "unclear",
    [
        Reply(200, b"<html>a portal that asks for a password</html>"),
        Reply(200, b""),
        Reply(400, b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>"),
        Reply(502, b"<html>bad gateway</html>"),
    ],
)
def test_an_answer_that_is_not_clear_is_left_to_botocore(unclear: Reply) -> None:
    with s3(in_turn(unclear, COPIED), ONCE) as (objects, stub):
        assert only_fault(objects) is None
    assert len(stub.requests) == 2


def test_a_clear_refusal_costs_one_request() -> None:
    with s3(always(failed("NoSuchKey", 404)), ONCE) as (objects, stub):
        only_fault(objects)
    assert len(stub.requests) == 1


def test_a_message_is_told_as_s3_wrote_it() -> None:
    body = "<Error><Code>InvalidRequest</Code><Message>5 &lt; 6 &amp; é</Message></Error>".encode()
    with s3(always(Reply(200, body)), ONCE) as (objects, _):
        fault = only_fault(objects)
    assert fault is not None
    assert "InvalidRequest: 5 < 6 & é" in fault.message


def test_a_connection_that_the_server_ends_is_not_used_again() -> None:
    closing = Reply(200, COPIED.body, {"Connection": "close"})
    with s3(always(closing), ONCE) as (objects, stub):
        assert [fault for _, fault in objects.copies(copies(20))] == [None] * 20
    assert len(stub.requests) == 20


def test_every_copy_is_counted_once() -> None:
    with serve(in_turn(COPIED, failed("NoSuchKey", 404), COPIED)) as stub:
        client, metrics = s3_client(stub.url), Metrics()
        watch_calls(client, metrics)
        objects = S3Objects(client, "media", 1, ONCE, ONCE)
        list(objects.copies(copies(3)))
        objects.close()
        client.close()
    read = metrics.registry.get_sample_value
    of = {"service": "s3", "operation": "CopyObject"}
    assert read("novabatch_aws_requests_total", {**of, "code": "ok"}) == 2
    assert read("novabatch_aws_requests_total", {**of, "code": "NoSuchKey"}) == 1
    assert read("novabatch_aws_request_duration_seconds_count", of) == 3


def test_a_client_copies_by_itself_once_the_shortcut_is_closed() -> None:
    with serve(always(COPIED)) as stub:
        client = s3_client(stub.url)
        S3Objects(client, "media", THREADS).close()
        source = {"Bucket": "media", "Key": "k"}
        answer = client.copy_object(Bucket="media", Key="c", CopySource=source)  # type: ignore[arg-type]
        assert answer["CopyObjectResult"]["ETag"] == '"x"'
        client.close()


def test_behind_a_proxy_botocore_does_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(always(COPIED)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        client = s3_client("http://s3.example:8080")
        objects = S3Objects(client, "media", 1, ONCE, ONCE)
        assert only_fault(objects) is None
        objects.close()
        client.close()
    (asked,) = proxy.requests
    assert asked.path.startswith("http://s3.example:8080/media/copies/0")


# ── TLS ──


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate, with its key beside it, that only those trust who are told to."""
    folder = tmp_path_factory.mktemp("tls")
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a stub")])
    here = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    builder = builder.add_extension(here, critical=False)
    signed = builder.add_extension(x509.BasicConstraints(True, None), critical=True).sign(
        key, hashes.SHA256()
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "key.pem").write_bytes(plain)
    return folder / "cert.pem"


@contextmanager
def secure(certificate: Path) -> Iterator[tuple[S3Objects, Stub]]:
    """A server with that certificate, and a client of it."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with serve(always(COPIED), tls) as stub:
        client = s3_client(stub.url)
        objects = S3Objects(client, "media", 1, ONCE, ONCE)
        yield objects, stub
        objects.close()
        client.close()


def test_a_server_whose_certificate_is_trusted_is_spoken_to(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with secure(certificate) as (objects, stub):
        assert [fault for _, fault in objects.copies(copies(3))] == [None] * 3
    assert len(stub.requests) == 3
    assert not any("amz-sdk-invocation-id" in request.headers for request in stub.requests)


def test_a_server_that_nobody_vouches_for_is_told_nothing(certificate: Path) -> None:
    with secure(certificate) as (objects, stub):
        assert isinstance(only_fault(objects), PassingFault)
    assert not stub.requests
