"""A bucket on a server that speaks S3's protocol (moto's), and what S3 says of its URLs."""

import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

KEY, SECRET, REGION = "AKIAMAINSTAYTESTS000", "a-secret/that+nobody=prints", "eu-central-1"
NAME, PREFIX = "shelf", "kept/here"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(url):
    """What a server is told of a store at a URL, besides the bucket's name."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": url,
    }


class Bucket:
    def __init__(self):
        self.url = f"http://127.0.0.1:{free_port()}"
        port = self.url.rsplit(":", 1)[1]
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, "moto does not start"
            time.sleep(0.02)
        addressed = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
        self.s3 = boto3.client("s3", endpoint_url=self.url, config=addressed, **self.credentials())
        self.s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})

    def _answers(self):
        try:
            with urllib.request.urlopen(self.url + "/moto-api/"):
                return True
        except OSError:
            return False

    def credentials(self):
        return {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": REGION}

    def keys(self, prefix=PREFIX + "/"):
        """What lies below a prefix, without it, with its sizes."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=prefix)
        found = [each for page in pages for each in page.get("Contents", [])]
        return {each["Key"].removeprefix(prefix): each["Size"] for each in found}

    def uploads(self):
        """The keys of uploads that have not ended."""
        return [each["Key"] for each in self.s3.list_multipart_uploads(Bucket=NAME).get("Uploads", [])]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def is_signed(url, method):
    """Whether Amazon's own library signs the URL in the same way."""
    address, _, query = url.partition("?")
    fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    signature = fields.pop("X-Amz-Signature")
    auth = S3SigV4QueryAuth(Credentials(KEY, SECRET), "s3", REGION)
    query = urllib.parse.urlencode(sorted(fields.items()), quote_via=urllib.parse.quote)
    request = AWSRequest(method, f"{address}?{query}")
    request.context["timestamp"] = fields["X-Amz-Date"]
    request.headers["host"] = urllib.parse.urlsplit(url).netloc
    canonical = auth.canonical_request(request)
    return auth.signature(auth.string_to_sign(request, canonical), request) == signature
