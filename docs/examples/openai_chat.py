"""The official OpenAI SDK against pihub: models, a chat, a stream, a cache hit.

    pip install openai
    export PIHUB_KEY=ph_...          # printed by `make run`
    python openai_chat.py
"""

import os

import openai

client = openai.OpenAI(
    base_url=os.environ.get("PIHUB_URL", "http://127.0.0.1:8080") + "/v1",
    api_key=os.environ["PIHUB_KEY"],
)

print("models:", [model.id for model in client.models.list()])

question = [{"role": "user", "content": "What is a circuit breaker?"}]
for turn in ("first", "second"):
    raw = client.chat.completions.with_raw_response.create(
        model="assistant", messages=question, temperature=0
    )
    answer = raw.parse()
    print(turn, "answer from", raw.headers["x-pihub-route"], "| cache", raw.headers["x-pihub-cache"])
    print(" ", answer.choices[0].message.content)

stream = client.chat.completions.create(
    model="assistant", messages=question, stream=True, stream_options={"include_usage": True}
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
    if chunk.usage:
        print(f"\n[{chunk.usage.prompt_tokens} tokens in, {chunk.usage.completion_tokens} out]")
