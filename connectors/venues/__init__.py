"""The venues that ship with venuegate; each enters by the same entry point as an outside plugin."""
