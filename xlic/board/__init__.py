"""A ZCU102 over SSH: configuration, transport, lease, recovery, runs."""
