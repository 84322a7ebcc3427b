"""May this action exist? Pure; the only mint of `Approved`. Imports connectors, never oms or runtime."""
