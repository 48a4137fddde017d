"""The data plane's Falcon app: chats, generic APIs, health, and the way to control."""
