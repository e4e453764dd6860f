import io
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from autocorp_assets.resources.aws import glue_code
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.glue_code import CodeError, is_published, publish, script_url, zip_bytes, zip_name
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.faults import Fault
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path[:0] = sys.argv[1:]
import autocorp_assets.contracts, dagster_pipes, spark_jobs
for package in (spark_jobs, autocorp_assets.contracts, dagster_pipes):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    print(package.__file__)
"""


def test_the_zip_needs_nothing_but_spark(tmp_path: Path):
    archive = tmp_path / zip_name()
    archive.write_bytes(zip_bytes())
    spark = tmp_path / "spark"
    spark.mkdir()
    for name in ("pyspark", "py4j", "delta"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (spark / name).symlink_to(Path(spec.origin).parent)

    # -I and -S: neither the environment nor what is installed beside the standard library.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(archive), str(spark)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(archive)) for line in done.stdout.splitlines())


def test_the_same_code_makes_the_same_bytes_and_name():
    names = zipfile.ZipFile(io.BytesIO(zip_bytes())).namelist()

    assert zip_bytes() == zip_bytes()
    assert names == sorted(names)
    assert "spark_jobs/curate.py" in names
    assert "autocorp_assets/settings.py" not in names


def test_other_code_has_another_name(monkeypatch: pytest.MonkeyPatch):
    before = zip_name()
    changed = {**glue_code.code_files(), "spark_jobs/plan.py": b"pass\n"}
    monkeypatch.setattr(glue_code, "code_files", lambda: changed)

    assert zip_name() != before


def test_publishing_again_writes_nothing(aws: FakeAws, aws_settings: Settings):
    assert not is_published(aws_settings)
    url = publish(aws_settings)
    aws.faults.clear()

    assert publish(aws_settings) == url
    assert is_published(aws_settings)
    assert url == f"s3://{LAKE_BUCKET}/lake/code/{zip_name()}"
    assert aws.faults.requests["s3:PUT"] == 0


def test_a_script_that_somebody_changed_is_put_back(aws: FakeAws, aws_settings: Settings):
    publish(aws_settings)
    bucket, key = glue_code.bucket_and_key(script_url(aws_settings))
    client("s3").put_object(Bucket=bucket, Key=key, Body=b"broken")

    assert not is_published(aws_settings)
    publish(aws_settings)

    assert is_published(aws_settings)
    body = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert body == glue_code.code_files()["spark_jobs/curate.py"]


def test_a_refusal_says_where_and_why(aws: FakeAws, aws_settings: Settings):
    aws.faults.add("s3:PUT", Fault(status=403, code="AccessDenied"))

    with pytest.raises(CodeError, match=r"s3://.*AccessDenied.*autocorp doctor"):
        publish(aws_settings)


def test_a_publication_that_was_cut_off_between_zip_and_script_is_not_taken_for_one(aws_settings: Settings):
    publish(aws_settings)
    bucket, key = glue_code.bucket_and_key(script_url(aws_settings))
    client("s3").delete_object(Bucket=bucket, Key=key)

    assert not is_published(aws_settings)


def test_a_bucket_that_cannot_be_asked_says_where_and_why(aws: FakeAws, aws_settings: Settings):
    aws.faults.add("s3:HEAD", Fault(status=403, code="AccessDenied"))

    with pytest.raises(CodeError, match=r"could not be looked for in s3://.*403"):
        is_published(aws_settings)
