"""A small chain in this process: JSON-RPC in front, our own pool maths behind the contracts' real ABI."""
