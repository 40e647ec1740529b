"""Telegram: one bot. `provider.Telegram` fits the channel contract; nothing else here is meant for the house."""
