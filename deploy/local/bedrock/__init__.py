"""Amazon Bedrock's batch inference, emulated inside moto."""
