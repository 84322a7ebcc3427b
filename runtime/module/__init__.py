"""A WASM binary as bytes: read, bounded and judged by us before any compiler sees it."""
