"""The chain's adapters: an EVM beside the market, any other node, and who sends to them.

Nothing here is imported unless a chain is used; it needs the extra `chain`.
"""
