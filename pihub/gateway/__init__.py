"""The use-cases of the data plane: chats through the pipeline, generic APIs."""
