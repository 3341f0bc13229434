"""What is said: messages, events, facts, analyses and the model table; values only, no effects."""
