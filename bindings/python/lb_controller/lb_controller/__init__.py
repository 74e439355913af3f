"""Campaigns: workloads on hosts, side by side, and all their logs on one machine. `api` is the way in."""
