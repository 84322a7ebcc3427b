"""What venues on chains share, whatever chain it is: asking a node, and showing pools as books."""
