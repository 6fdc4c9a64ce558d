"""SEVIR in a bucket, read from a server on loopback without signing in."""

import socket

import numpy as np
import pytest
from tests.data.sevir_files import content, write_sevir

from stormfusion.data import files
from stormfusion.data.sevir import is_sevir, open_sevir

pytest.importorskip("s3fs", reason="s3fs is not installed: the s3 extra has it")
pytest.importorskip("moto.server", reason="moto[server] is not installed: dev has it")

pytestmark = [
    # botocore and aiobotocore
    pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning"),
]
EVERYTHING = slice(None), slice(None), slice(None)


@pytest.fixture(scope="module")
def endpoint():
    """Address of an S3 server that knows nobody."""
    from moto.server import ThreadedMotoServer

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(scope="module")
def bucket(endpoint, tmp_path_factory):
    """A bucket that everyone may read, and how it is reached."""
    import boto3

    root = tmp_path_factory.mktemp("sevir")
    write_sevir(root)
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="owner",
        aws_secret_access_key="owner",
    )
    client.create_bucket(Bucket="sevir", ACL="public-read")
    for path in root.rglob("*.*"):
        name = path.relative_to(root).as_posix()
        client.upload_file(str(path), "sevir", name, ExtraArgs={"ACL": "public-read"})
    yield {"endpoint_url": endpoint}
    files.close_all()


@pytest.fixture(autouse=True)
def _nobody(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_bucket_opens_without_signing_in(bucket):
    assert is_sevir("s3://sevir", storage_options=bucket)
    table, events = open_sevir("s3://sevir", storage_options=bucket)
    assert list(table.index) == ["S728503", "R19060118327777"]
    assert events[0].variables == ("vil", "ir107", "ir069", "vis", "lightning")
    for variable, size in {"vil": 16, "ir107": 8, "vis": 32}.items():
        read = events[1].stored(variable).read(*EVERYTHING)
        expected = np.moveaxis(content(variable, 1, size), -1, 0)
        np.testing.assert_array_equal(read, expected)
    assert events[0]["lightning"].load().sum() == 0


def test_one_handle_per_object(bucket):
    _, events = open_sevir("s3://sevir", storage_options=bucket)
    files.close_all()
    for event in events:
        event.stored("vil").read(slice(12, 37), slice(2, 9), slice(None))
    assert len(files._opened.files) == 1


def test_what_is_not_there(bucket):
    assert not is_sevir("s3://nowhere", storage_options=bucket)
    with pytest.raises(FileNotFoundError, match="no SEVIR catalog at s3://nowhere"):
        open_sevir("s3://nowhere", storage_options=bucket)
    with pytest.raises(FileNotFoundError, match=r"no file s3://sevir/other\.csv"):
        open_sevir("s3://sevir/other.csv", storage_options=bucket)


def test_anonymous_unless_told_otherwise(bucket):
    assert files.filesystem("s3://sevir", bucket)[0].anon is True
    signed = bucket | {"key": "somebody", "secret": "somebody"}
    assert files.filesystem("s3://sevir", signed)[0].anon is False
    _, events = open_sevir("s3://sevir", storage_options=signed, variables="vil")
    assert events[0].stored("vil").read(*EVERYTHING).any()
