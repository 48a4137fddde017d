"""The official Ollama SDK against pihub: models, a chat, a stream.

    pip install ollama
    export PIHUB_KEY=ph_...          # printed by `make run`
    python ollama_chat.py
"""

import os

import ollama

client = ollama.Client(
    host=os.environ.get("PIHUB_URL", "http://127.0.0.1:8080"),
    headers={"Authorization": "Bearer " + os.environ["PIHUB_KEY"]},
)

print("models:", [model.model for model in client.list().models])

question = [{"role": "user", "content": "What is a circuit breaker?"}]
answer = client.chat(model="assistant", messages=question)
print(answer.done_reason, answer.eval_count, "tokens:", answer.message.content)

for part in client.chat(model="assistant", messages=question, stream=True):
    print(part.message.content, end="", flush=True)
print()
