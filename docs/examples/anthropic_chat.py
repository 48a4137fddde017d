"""The official Anthropic SDK against pihub: models, a message, a stream.

    pip install anthropic
    export PIHUB_KEY=ph_...          # printed by `make run`
    python anthropic_chat.py
"""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("PIHUB_URL", "http://127.0.0.1:8080"),
    api_key=os.environ["PIHUB_KEY"],
)

print("models:", [model.id for model in client.models.list()])

message = client.messages.create(
    model="assistant",
    max_tokens=200,
    system="You are brief.",
    messages=[{"role": "user", "content": "What is a circuit breaker?"}],
)
print(message.stop_reason, message.usage.output_tokens, "tokens:", message.content[0].text)

with client.messages.stream(
    model="assistant",
    max_tokens=200,
    messages=[{"role": "user", "content": "And a rate limit?"}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
    print(f"\n[{stream.get_final_message().stop_reason}]")
