"""IAM as far as the template's policies use it: consumers of the local AWS may do what their role allows."""
