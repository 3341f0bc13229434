"""What a reason must hold that helps whoever reads it: a word that says what to do."""

import re

REMEDY = re.compile(
    r"\b(add|ask|choose|correct|fill|flatten|give|keep|leave|lower|move|name|post|put|raise|remove|restore|"
    r"send|shorten|unset|use|write)\b",
    re.IGNORECASE,
)
