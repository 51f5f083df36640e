"""Histories of whole cases, one table for each part of the life of a case."""

import pytest

pytest.register_assert_rewrite("tests.domain.life.history")
