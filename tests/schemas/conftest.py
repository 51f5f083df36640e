from tests.domain import profile  # noqa: F401, read for its effect
