"""Addresses of databases are parsed by libpq's rules, and messages do not contain their values."""

import pytest

from bank_graphql.kit.dsn import parse_dsn, with_search_path, without_password
from bank_graphql.kit.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("postgresql://host/name", "postgresql://host/name"),
        ("postgres://host:5433/name", "postgresql://host:5433/name"),
        ("postgresql+asyncpg://host/name", "postgresql://host/name"),
        ("postgresql://", "postgresql:///"),
        ("postgresql:///name?host=/run/postgresql", "postgresql:///name?host=/run/postgresql"),
        ("postgresql://%2Frun%2Fpostgresql/name", "postgresql://%2Frun%2Fpostgresql/name"),
        ("postgresql://u:p@[::1]:5433/name", "postgresql://u:p@[::1]:5433/name"),
        ("postgresql://u:p#?&=:!$ w@host/name", "postgresql://u:p%23%3F%26%3D%3A%21%24%20w@host/name"),
        ("postgresql://u:p%40%2F%25@host/name", "postgresql://u:p%40%2F%25@host/name"),
        ("postgresql://u:ä@host/name", "postgresql://u:%C3%A4@host/name"),
        (
            "postgresql://a:1,b:2/name?target_session_attrs=read-write&sslmode=require",
            "postgresql://a:1,b:2/name?target_session_attrs=read-write&sslmode=require",
        ),
        ("postgresql:///name?host=a,b&port=1,2", "postgresql:///name?host=a,b&port=1,2"),
        (
            "postgresql://h/n?connect_timeout=5&gssencmode=disable&channel_binding=prefer&keepalives=1&client_encoding=utf8",
            "postgresql://h/n",
        ),
        ("postgresql://h/n?options=-c%20search_path%3Dbank", "postgresql://h/n?options=-c%20search_path%3Dbank"),
        ("postgresql://h/n?ssl=true", "postgresql://h/n?sslmode=require"),
    ],
)
def test_an_address_is_parsed_by_libpqs_rules(given: str, parsed: str) -> None:
    assert parse_dsn(given, "DATABASE_URL") == parsed
    assert parse_dsn(parsed, "DATABASE_URL") == parsed


@pytest.mark.parametrize(
    "given",
    [
        "mysql://u:hunter2@host/name",
        "hunter2",
        "postgresql://u:hunter2/3@host/name",
        "postgresql://u:hunter2@3@host/name",
        "postgresql://u:hunter2%@host/name",
        "postgresql://u:hunter2%ff@host/name",
        "postgresql://u:hunter2%00@host/name",
        "postgresql://u@host:hunter2/name",
        "postgresql://u@host:99999/name?password=hunter2",
        "postgresql://host/name?port=hunter2",
        "postgresql://host/name?hunter2=1",
        "postgresql://host/name?search_path=hunter2",
        "postgresql://host/name?gssencmode=require&password=hunter2",
        "postgresql://host/name?channel_binding=hunter2",
        "postgresql://host/name?hostaddr=hunter2",
        "postgresql://host/name#hunter2",
        "postgresql://u:hunter2@a,b:1,/name",
        "postgresql://u:hunter2@,a/name",
        "postgresql://u:1234/hunter2@host/name",
        *(
            f"postgresql://host/name?{name}=hunter2"
            for name in ("target_session_attrs", "sslmode", "gsslib", "ssl_min_protocol_version")
        ),
    ],
)
def test_a_malformed_address_is_refused_without_its_values_in_the_message(given: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_dsn(given, "DATABASE_URL")
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("DATABASE_URL")


@pytest.mark.parametrize(
    ("dsn", "address", "password"),
    [
        ("postgresql://bank:hunter%402@host/db?sslmode=require", "postgresql://bank@host/db?sslmode=require", "hunter@2"),
        ("postgresql://bank@host/db?password=hunter2&sslmode=require", "postgresql://bank@host/db?sslmode=require", "hunter2"),
        ("postgresql://bank@host/db?sslmode=require&password=hunter2", "postgresql://bank@host/db?sslmode=require", "hunter2"),
        ("postgresql://bank@host/db?password=hunter2", "postgresql://bank@host/db", "hunter2"),
        ("postgresql://bank@/db?host=/socket", "postgresql://bank@/db?host=/socket", None),
    ],
)
def test_programs_get_the_password_by_their_environment(dsn: str, address: str, password: str | None) -> None:
    assert without_password(dsn) == (address, {} if password is None else {"PGPASSWORD": password})


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://h/n", "postgresql://h/n?options=-c%20search_path%3Dnorth"),
        ("postgresql://h/n?host=/s", "postgresql://h/n?host=/s&options=-c%20search_path%3Dnorth"),
        (
            "postgresql://h/n?options=-c%20jit%3Doff&user=x",
            "postgresql://h/n?options=-c%20jit%3Doff%20-c%20search_path%3Dnorth&user=x",
        ),
    ],
)
def test_a_search_path_stands_beside_other_options(dsn: str, expected: str) -> None:
    assert with_search_path(dsn, "north") == expected
