"""The journal: what happened, in order, before anything of it leaves; and what the next start must know."""
