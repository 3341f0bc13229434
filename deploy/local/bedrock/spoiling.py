"""Answers spoilt on purpose, the ways real ones are."""

from typing import Any

Answer = tuple[str, str]


def spoil(action: str, text: str) -> Answer:
    """Return the spoilt text and its stop reason."""
    if action == "truncate":
        return text[: max(1, len(text) // 2)], "max_tokens"
    if action == "empty":
        return "", "content_filtered"
    if action == "prose":
        return "I cannot describe this recording in the form you ask for.", "end_turn"
    if action == "fence":
        bare = text[text.find("{") : text.rfind("}") + 1] or text
        return f"```json\n{bare}\n```", "end_turn"
    if action == "bad_escape":
        return text.replace('": "', '": "C:\\media\\q ', 1), "end_turn"
    return text, "end_turn"


def error(code: int, message: str, *, retryable: bool) -> dict[str, Any]:
    """Return the member that stands in the place of modelOutput."""
    return {"errorCode": code, "errorMessage": message, "expired": False, "retryable": retryable}
