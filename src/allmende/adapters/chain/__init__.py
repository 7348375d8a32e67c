"""The chain's adapters: an EVM in this process, any other node, and who sends to them.

Nothing here is imported unless a chain is used; it needs the extra `chain`.
"""
