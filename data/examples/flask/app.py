"""Says hello: the smallest service that is worth starting three times."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """The one page."""
    return "Hello"
