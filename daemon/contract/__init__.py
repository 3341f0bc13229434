"""The contract as files: JSON Schemas, an AsyncAPI document and examples, made from `schemas`."""
