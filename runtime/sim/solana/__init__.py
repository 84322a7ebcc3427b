"""A simulated Solana: slots, accounts, JSON-RPC and subscriptions, with Raydium's and Orca's pools on it."""
