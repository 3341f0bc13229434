"""The message loop: receive, keep, handle, settle."""
