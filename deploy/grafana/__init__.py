"""Dashboards as declarations, and the generator that writes Grafana's JSON."""
