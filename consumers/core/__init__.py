"""Pure decisions shared by the stages: names, chunks, keys, states, money."""
