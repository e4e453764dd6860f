"""The ports in AWS, through boto3. Nothing else in the project talks to AWS."""
