"""The local provider: Twilio's and Telegram's HTTP, played on loopback for tests and a development start.

`server.app(world)` is the whole of it as an ASGI application; `python -m channels.simulator` runs it alone.
"""
