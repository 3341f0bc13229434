"""What surrounds the product: a local AWS now, templates for the cloud later."""
