"""A worker on a PostgreSQL server with TLS and client certificates."""

from __future__ import annotations

import psycopg
import pytest
import trustme

from tests.pipeline.stage import Stage, until
from tests.secured.postgres import SecuredPostgres

pytestmark = [pytest.mark.kafka, pytest.mark.postgresql]


def test_a_worker_says_what_is_wrong_and_starts_once_the_files_are_right(
    stage: Stage, secured_postgres: SecuredPostgres
) -> None:
    files = secured_postgres.issue("icam_worker", trusts=trustme.CA())
    url = secured_postgres.url("icam_worker", files)
    worker = stage.worker("worker", ICAM_DATABASE__URL=url)
    worker.start(wait=False)
    until(lambda: "signed it with sslrootcert" in worker.log.read_text(), 30, "it says why")
    assert worker.probe("livez")[0] == 200
    assert worker.probe("readyz")[1]["database_away"] is True
    assert worker.exit_code is None

    secured_postgres.authority.cert_pem.write_to_path(str(files.root))

    until(worker.ready, 30, "it is ready without a restart")
    with psycopg.connect(secured_postgres.url("postgres")) as owner:
        sessions = owner.execute(
            "SELECT DISTINCT ssl, client_dn <> '' FROM pg_stat_ssl"
            " JOIN pg_stat_activity USING (pid) WHERE usename = 'icam_worker'"
        ).fetchall()
    assert sessions == [(True, True)], "encrypted, with a client certificate"
    assert worker.stop() == 0
