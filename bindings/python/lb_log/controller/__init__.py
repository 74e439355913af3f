"""Campaigns: workloads on hosts, side by side, and all their logs on one machine. See `api` and `async_api`."""
