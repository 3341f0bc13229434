"""A small, quick AWS of our own for benches: S3, SQS and Bedrock's jobs with a latency that can be set.

It knows only the calls that the benches make and checks nothing: what is measured is the client.
"""
