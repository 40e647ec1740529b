"""Twilio: WhatsApp and SMS. `provider.Twilio` fits the channel contract; nothing else here is meant for the house."""
