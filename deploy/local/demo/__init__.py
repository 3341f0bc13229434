"""The demo: one batch over real media, from message to stored results and cleaned folders."""

from deploy.local.demo.bad_day import BadDay
from deploy.local.demo.show import run

__all__ = ["BadDay", "run"]
