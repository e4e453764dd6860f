"""The job's code in S3: one zip of all that it imports beside Spark and boto3, and the script that Glue starts.

The zip needs nothing to be installed: a job in a VPC without internet cannot ask for packages. It is named by its
content, so what a run imports is exactly what the Dagster that planned it has, also while a new version is rolled out.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.resources.aws.clients import client, explain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autocorp_assets.settings import Settings

CODE_FOLDER = "code"
"""Below the lake's root."""
SCRIPT_NAME = "curate.py"
DIGEST_KEY = "sha256"
"""Of an object's metadata: its ETag is no digest where the bucket encrypts with a key of KMS."""
DIGEST_CHARACTERS = 16
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold: the same code makes the same bytes."""
READABLE_BY_ALL = 0o644 << 16


class CodeError(RuntimeError):
    """The code could not be brought to S3; the message says why and what to do."""


@cache
def code_files() -> Mapping[str, bytes]:
    """Content by name in the zip: the jobs, the contracts, Dagster Pipes."""
    packages = {name: _folder(name) for name in ("spark_jobs", "dagster_pipes")}
    assets = _folder("autocorp_assets")
    files = {"autocorp_assets/__init__.py": assets / "__init__.py"}
    for name, folder in {**packages, "autocorp_assets/contracts": assets / "contracts"}.items():
        files |= {f"{name}/{path.relative_to(folder)}": path for path in folder.rglob("*.py")}
    return {name: files[name].read_bytes() for name in sorted(files)}


def zip_name() -> str:
    digest = hashlib.sha256()
    for name, content in code_files().items():
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return f"autocorp-{digest.hexdigest()[:DIGEST_CHARACTERS]}.zip"


def zip_bytes() -> bytes:
    """The zip: the same bytes for the same code, whenever and wherever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in code_files().items():
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = READABLE_BY_ALL
            archive.writestr(entry, content)
    return buffer.getvalue()


def zip_url(settings: Settings) -> str:
    """Where the zip of the installed code is, once it is published."""
    return f"{settings.lake}/{CODE_FOLDER}/{zip_name()}"


def script_url(settings: Settings) -> str:
    """The ScriptLocation of the Glue job."""
    return f"{settings.lake}/{CODE_FOLDER}/{SCRIPT_NAME}"


def publish(settings: Settings) -> str:
    """Make sure that S3 has the job's script and the zip of the installed code; returns the zip's URL.

    Costs two requests when it is all there.

    Raises:
        CodeError: S3 refused.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _put(zip_url(settings), zip_bytes())
        _put(script_url(settings), code_files()[f"spark_jobs/{SCRIPT_NAME}"])
    except (ClientError, BotoCoreError) as error:
        raise CodeError(f"the job's code could not be written to {settings.lake}: {explain(error)}") from error
    return zip_url(settings)


def is_published(settings: Settings) -> bool:
    """Whether S3 has the installed code: the zip and the script, which may be another's; two requests.

    Raises:
        CodeError: S3 cannot be asked.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    script = hashlib.sha256(code_files()[f"spark_jobs/{SCRIPT_NAME}"]).hexdigest()
    try:
        return _digest(zip_url(settings)) is not None and _digest(script_url(settings)) == script
    except (ClientError, BotoCoreError) as error:
        raise CodeError(f"the job's code could not be looked for in {settings.lake}: {explain(error)}") from error


def bucket_and_key(url: str) -> tuple[str, str]:
    """Of an `s3://` URL."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def _put(url: str, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if _digest(url) == digest:
        return
    bucket, key = bucket_and_key(url)
    client("s3").put_object(Bucket=bucket, Key=key, Body=content, Metadata={DIGEST_KEY: digest})


def _digest(url: str) -> str | None:
    """Of what lies there by its metadata; None for nothing, empty for what somebody else has put there."""
    from botocore.exceptions import ClientError

    bucket, key = bucket_and_key(url)
    try:
        return client("s3").head_object(Bucket=bucket, Key=key)["Metadata"].get(DIGEST_KEY, "")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise CodeError(f"package {package} is not installed in this environment: run `make` to set it up")
    return Path(spec.origin).parent
