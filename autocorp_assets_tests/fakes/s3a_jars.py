"""What Spark needs to reach S3 on this machine: Hadoop S3A, and what it loads of the AWS SDK (7 MB of 281)."""

from __future__ import annotations

from autocorp_assets.local.spark_jars import Jar

SDK_GROUP, SDK_VERSION = "com.amazonaws", "1.12.262"
"""The SDK that hadoop-aws 3.3.4 was built with; 3.3.4 is the Hadoop of Spark 3.5.6."""

S3A_JARS = (
    Jar(
        group="org.apache.hadoop",
        artifact="hadoop-aws",
        version="3.3.4",
        sha256="53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a",
    ),
    Jar(
        group=SDK_GROUP,
        artifact="aws-java-sdk-core",
        version=SDK_VERSION,
        sha256="06fed99f929c389e168278c1b111aaf1afb270d07202fbbce92e73d1e4279678",
    ),
    Jar(
        group=SDK_GROUP,
        artifact="aws-java-sdk-s3",
        version=SDK_VERSION,
        sha256="a0cb7580178bc0d4d3558295a5bb890008478da8a6b3241989c71238b0ed3be5",
    ),
    Jar(
        group=SDK_GROUP,
        artifact="aws-java-sdk-kms",
        version=SDK_VERSION,
        sha256="c00f5ae7b334255f661d85512e7203af9523a04fb65d0c431c2eea2003ed8ae2",
    ),
    Jar(
        group=SDK_GROUP,
        artifact="aws-java-sdk-sts",
        version=SDK_VERSION,
        sha256="659f48d8ebc02025c5042cc4b925f62610e81f334498f1b9e7a271ce20ecbcae",
    ),
    Jar(
        group=SDK_GROUP,
        artifact="aws-java-sdk-dynamodb",
        version=SDK_VERSION,
        sha256="7af4ba06d0d9b3c2ab435089caecd0567810d203aa285f7aa72861f1964d442e",
    ),
    Jar(
        group=SDK_GROUP,
        artifact="jmespath-java",
        version=SDK_VERSION,
        sha256="9001ea993a45d82a2d3086edcbda8a40b4e012d049a70fbf071fd329c0fbd777",
    ),
    Jar(
        group="com.fasterxml.jackson.dataformat",
        artifact="jackson-dataformat-cbor",
        version="2.15.2",
        sha256="57ba89a43e631be2de67aeed846a659b15c6b82b7b254164f61bf3090ccc2ad1",
    ),
    Jar(
        group="software.amazon.ion",
        artifact="ion-java",
        version="1.0.2",
        sha256="0d127b205a1fce0abc2a3757a041748651bc66c15cf4c059bac5833b27d471a5",
    ),
    Jar(
        group="org.wildfly.openssl",
        artifact="wildfly-openssl",
        version="1.0.7.Final",
        sha256="9f7058778978ec2ad90c7224401a4b0013d93e0dd3fa0f72b25244ffa3507ca8",
    ),
)
