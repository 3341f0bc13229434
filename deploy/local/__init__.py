"""The local AWS: everything novabatch needs around it, on one machine; shares no code with the product."""
