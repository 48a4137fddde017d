"""Webhooks: taken in from senders, kept until delivered, delivered in order."""
