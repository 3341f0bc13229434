"""Dashboards over real data: runs of the local AWS, watched by a real Prometheus and drawn in a browser."""
