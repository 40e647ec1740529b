"""The web chat: its page, its widget, and the doors through which they talk."""
