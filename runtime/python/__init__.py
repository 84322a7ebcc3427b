"""Python algos: what makes a file of the author's a guest. Authors import `runtime.pyalgo` and `runtime.pytesting`."""
