"""Result shapes: how one becomes the form in a prompt, and how an answer is read by it."""
