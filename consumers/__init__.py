"""What is decided: the stages of the three queues, over ports that others implement."""
