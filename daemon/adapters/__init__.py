"""The ports of the stages, each spoken through one technology."""
