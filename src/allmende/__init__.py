"""Allmende: an open, self-hosted market for AI tokens. See ARCHITECTURE.md."""
