from py4j.protocol import Py4JNetworkError

from spark_jobs.curate import reason_of, without_frames

LOST = """An error occurred while calling o123.save.
: org.apache.spark.SparkException: Job aborted due to stage failure: ExecutorLostFailure (executor 2 exited)
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2856)
\t... 41 more
Caused by: java.lang.OutOfMemoryError: Java heap space"""


def test_a_lost_executor_is_named_without_the_frames_of_the_jvm():
    assert without_frames(LOST).splitlines()[1:] == [
        ": org.apache.spark.SparkException: Job aborted due to stage failure: ExecutorLostFailure (executor 2 exited)",
        "java.lang.OutOfMemoryError: Java heap space",
    ]


def test_a_driver_that_no_longer_answers_is_told_in_words():
    assert "driver has died" in reason_of(Py4JNetworkError("Answer from Java side is empty"))
    assert "driver has died" in reason_of(ConnectionRefusedError(111, "Connection refused"))


def test_any_other_reason_is_what_it_says():
    assert reason_of(ValueError("column price is text")) == "column price is text"
