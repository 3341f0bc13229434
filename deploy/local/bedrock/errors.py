"""Errors of the API, in the shape moto sends."""

from moto.core.exceptions import JsonRESTError

STATUS = {"ResourceNotFoundException": 404, "AccessDeniedException": 403, "ThrottlingException": 429}


class BedrockError(JsonRESTError):
    """An error of the Bedrock API with its own HTTP status."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.code = STATUS.get(kind, 400)


def invalid(message: str) -> BedrockError:
    """Return a ValidationException."""
    return BedrockError("ValidationException", message)
