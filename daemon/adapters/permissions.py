"""Which permission of IAM a call needs, to name it where the call was denied.

Source: AWS, service authorization reference.
"""

from collections.abc import Mapping

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403"})
"""AWS's names for a denial; a HEAD has no body, so only a status."""
DENIED_KEY = frozenset({"KMS.AccessDeniedException", "KmsAccessDenied"})
"""SQS's names, the older and the newer, for a denial of the key of its queue (AWS: SQS API, errors)."""

_NEEDED: Mapping[str, str] = {
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "CopyObject": "s3:GetObject on the original and s3:PutObject on the copy",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObjects": "s3:DeleteObject and s3:DeleteObjectVersion",
    "GetQueueUrl": "sqs:GetQueueUrl",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "SendMessage": "sqs:SendMessage",
    "SendMessageBatch": "sqs:SendMessage",
    "CreateModelInvocationJob": "bedrock:CreateModelInvocationJob on job, inference profile and model, and "
    "iam:PassRole on the service role",
    "GetModelInvocationJob": "bedrock:GetModelInvocationJob",
    "StopModelInvocationJob": "bedrock:StopModelInvocationJob",
    "ListModelInvocationJobs": "bedrock:ListModelInvocationJobs",
    "GetFoundationModel": "bedrock:GetFoundationModel",
    "GetInferenceProfile": "bedrock:GetInferenceProfile",
    "PutEvents": "events:PutEvents",
    "DescribeRule": "events:DescribeRule",
    "ListRuleNamesByTarget": "events:ListRuleNamesByTarget",
    "DescribeEventBus": "events:DescribeEventBus",
    "GetRole": "iam:GetRole",
    "SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
}


def needed(call: str, code: str) -> str:
    """Return what to allow so that a call is not answered with a code; empty if no permission helps."""
    if code in DENIED_KEY:
        return "kms:Decrypt" if call == "ReceiveMessage" else "kms:GenerateDataKey and kms:Decrypt"
    return _NEEDED.get(call, "") if code in DENIED else ""
