"""Where the pipelines keep what they hand on, and the key that encrypts it."""

from typing import Any, Final

from chalice.pipeline import BaseResource, PipelineParameters

from tools.generate.pipeline.language import SERVICE, Part, attribute, deny, policy, ref, sub, unchecked

KEPT_DAYS: Final = 365
"""A stage rolls back to what its last good execution left here, however long ago that was."""

PULL_REQUEST_DAYS: Final = 14
NEVER: Final = None
"""CloudFormation goes back to the code of a stack as it is, and nobody may have changed that for years."""

NO_ACCESS_LOG = "Only the pipelines read and write here; a trail with data events sees it."


class Stores(BaseResource):
    """Chalice's two buckets, made private, encrypted and versioned, and one apart for what pull requests bring."""

    def add_to_template(self, template: dict[str, Any], pipeline_params: PipelineParameters) -> None:
        resources = template["Resources"]
        own_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": attribute("PipelineKey")}
        for name, days, encryption, *more in (
            ("ApplicationBucket", NEVER, own_key, _once("ApplicationBucket")),
            ("ArtifactBucketStore", KEPT_DAYS, own_key),
            # Of AWS's own key everybody in the account may make use: who builds pull requests has none of ours.
            ("PullRequestBucket", PULL_REQUEST_DAYS, {"SSEAlgorithm": "aws:kms"}),
        ):
            resources[name] = _bucket(days, encryption)
            resources[f"{name}Policy"] = _policy(name, _only_by_tls(name), *more)
        resources["PipelineKey"] = _key()
        resources["PipelineKeyAlias"] = {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": f"alias/{SERVICE}-pipeline", "TargetKeyId": ref("PipelineKey")},
        }


def _bucket(days: int | None, encryption: Part) -> Part:
    expiry = {} if days is NEVER else {"ExpirationInDays": days}
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    bucket: Part = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "VersioningConfiguration": {"Status": "Enabled"},
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": dict.fromkeys(closed, True),
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": encryption}
                ]
            },
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "expire",
                        "Status": "Enabled",
                        **expiry,
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    }
                ]
            },
        },
    }
    return unchecked(bucket, CKV_AWS_18=NO_ACCESS_LOG)


def _policy(bucket: str, *statements: Part) -> Part:
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": ref(bucket), "PolicyDocument": policy(*statements)},
    }


def _only_by_tls(bucket: str) -> Part:
    everything = [attribute(bucket), sub(f"${{{bucket}.Arn}}/*")]
    return {**deny("s3:*", everything, {"Bool": {"aws:SecureTransport": "false"}}), "Principal": "*"}


def _once(bucket: str) -> Part:
    """What is there stays as it is: a later build cannot change what an earlier one made and somebody has approved."""
    whatever_is_there = {"Null": {"s3:if-none-match": "true"}}
    return {**deny("s3:PutObject", sub(f"${{{bucket}.Arn}}/*"), whatever_is_there), "Principal": "*"}


def _key() -> Part:
    """Ours to control through IAM, and CloudWatch's to tell of alarms: with AWS's own key for SNS no service can."""
    own = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": own,
        },
    ]
    return {
        "Type": "AWS::KMS::Key",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "Description": f"What the pipeline of {SERVICE} hands on, and its notices",
            "EnableKeyRotation": True,
            "KeyPolicy": {"Version": "2012-10-17", "Statement": statements},
        },
    }
