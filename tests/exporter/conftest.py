from tests.work.conftest import world  # noqa: F401, the fixture
