"""What is made of an execution's result."""

import pytest

from autocorp_assets.resources.aws.datasync_executions import Execution

GOOD = {"PrepareStatus": "SUCCESS", "TransferStatus": "SUCCESS", "VerifyStatus": "SUCCESS", "VerifyDuration": 12}


def execution(**said: object) -> Execution:
    return Execution(arn="arn:exec", said={"Status": "SUCCESS", "Result": GOOD, "FilesTransferred": 2, **said})


def test_a_verified_success_is_taken_in_and_tells_counters_and_durations():
    found = execution(EstimatedFilesToTransfer=2, BytesWritten=10)

    assert (found.complaint, found.shortfall) == (None, None)
    assert found.details == {
        "execution": "arn:exec",
        "files_transferred": 2,
        "bytes_written": 10,
        "verify_duration_ms": 12,
    }


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"Options": {"VerifyMode": "NONE"}}, "set its VerifyMode"),
        ({"Result": {**GOOD, "VerifyStatus": "PENDING"}}, "verification is PENDING"),
        ({"FilesFailed": {"Transfer": 1, "Verify": 0}}, "files failed"),
        ({"Status": "ERROR", "Result": {"PrepareStatus": "ERROR", "ErrorCode": "C", "ErrorDetail": "D"}}, "C: D"),
        ({"Status": "ERROR", "Result": {"PrepareStatus": "ERROR"}}, "check the agent"),
        ({"Status": "ERROR", "Result": {"TransferStatus": "ERROR"}}, "check the share"),
        ({"Status": "ERROR", "Result": {"VerifyStatus": "ERROR"}}, "renamed when they are whole"),
        ({"Status": "ERROR"}, "says no reason"),
    ],
)
def test_anything_else_says_why_not_and_what_to_do(said: dict, told: str):
    assert told in (execution(**said).complaint or "")


def test_files_that_the_counters_miss_are_a_remark_since_aws_does_not_call_them_exact():
    found = execution(EstimatedFilesToTransfer=3)

    assert found.complaint is None
    assert "2 of 3 files" in (found.shortfall or "")
