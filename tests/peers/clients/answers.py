"""What a call came to, in the words that all client programs share."""


async def answer(call) -> dict:
    try:
        result = await call
    except Exception as error:  # each SDK has its own class for a JSON-RPC error
        return {"refused": str(error)}
    failed = getattr(result, "isError", None) or getattr(result, "is_error", None)
    text = "".join(block.text for block in result.content if block.type == "text")
    return {"failed" if failed else "text": text}
