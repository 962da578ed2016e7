"""Parse the address of a database as libpq does: `postgresql://user:password@host:port,host:port/name?option=value`.

asyncpg parses addresses with `urllib`, which cuts a password at `#` and quotes in messages what it cannot parse, and it takes
libpq's own options for settings of the server. So an address is parsed here, by the rules of PostgreSQL's manual (section
34.1.1.2, "Connection URIs"), and rewritten in a form that both asyncpg and libpq understand. No message contains a value.
"""

import re
from urllib.parse import quote, unquote

from bank_graphql.kit.errors import ConfigurationError

_SCHEMES = re.compile(r"postgres(?:ql)?(?:\+\w+)?://", re.ASCII)
_URI = re.compile(
    r"(?:(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@)?(?P<hosts>[^/?#]*)(?:/(?P<name>[^?#]*))?(?:\?(?P<options>[^#]*))?"
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:@\[\]]*)(?::(?P<port>[0-9]{0,5}))?", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_SUPPORTED = frozenset({
    "host", "port", "dbname", "user", "password", "passfile", "service", "options", "application_name", "target_session_attrs",
    "sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslnegotiation",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib",
})  # fmt: skip
"""Options that asyncpg supports, with libpq's meaning."""
_IGNORED = frozenset({
    "client_encoding", "connect_timeout", "fallback_application_name", "gssdelegation", "keepalives", "keepalives_count",
    "keepalives_idle", "keepalives_interval", "load_balance_hosts", "sslcertmode", "sslcompression", "sslsni", "tcp_user_timeout",
})  # fmt: skip
"""Options of libpq that asyncpg does not support. They can be ignored: they change neither the server nor the security."""
_IGNORED_VALUES = {"channel_binding": {"disable", "prefer"}, "gssencmode": {"disable", "prefer"}}
"""Options that can be ignored with these values. Their other values require what asyncpg does not support."""
_TLS_VERSIONS = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
_ALLOWED_VALUES = {
    "sslmode": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
    "sslnegotiation": {"postgres", "direct"},
    "target_session_attrs": {"any", "primary", "standby", "prefer-standby", "read-write", "read-only"},
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "gsslib": {"gssapi", "sspi"},
}


def parse_dsn(text: str, setting: str) -> str:
    """Return the address in a form that both asyncpg and libpq understand.

    Args:
        text: the address.
        setting: the name of the setting that it comes from, for messages.

    Raises:
        ConfigurationError: the address is malformed, or has an option that asyncpg does not support.
    """
    scheme = _SCHEMES.match(text)
    if scheme is None:
        raise ConfigurationError(f"{setting} is not a PostgreSQL address: it looks like postgresql://user:password@host/name.")
    parts = _URI.fullmatch(text, scheme.end())
    if parts is None:
        raise _malformed(setting)
    user, password, name = (_decode(parts[each], setting) for each in ("user", "password", "name"))
    if re.search("[@/]", parts["name"] or ""):
        raise _malformed(setting)
    hosts = ",".join(_check_host(each, setting) for each in parts["hosts"].split(","))
    if "," in hosts and re.search("(^|,)(:|,|$)", hosts):
        raise _malformed(setting)
    options = dict(_options(parts["options"] or "", setting))
    for port in options.get("port", "").split(","):
        if port and not _PORT.fullmatch(port):
            raise _malformed(setting)
    credentials = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
    query = "&".join(f"{each}={quote(value, safe='/,')}" for each, value in options.items())
    return f"postgresql://{credentials + '@' if credentials else ''}{hosts}/{quote(name, safe='')}{'?' + query if query else ''}"


def without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """Return a parsed address without its password, and the variable of the environment that gives it to libpq.

    Programs get the address as an argument, which every user of the machine can read.
    """
    in_address = re.search("(?<=[a-z]://)([^:@/]*):([^@/]*)(?=@)", dsn)
    in_options = re.search("[?&]password=([^&]*)", dsn)
    password = in_options[1] if in_options else in_address[2] if in_address else None
    if in_address:
        dsn = dsn.replace(in_address[0], in_address[1], 1)
    if in_options:
        dsn = re.sub(r"\?&", "?", dsn.replace(in_options[0], in_options[0][0]).replace("&&", "&")).rstrip("?&")
    return dsn, {} if password is None else {"PGPASSWORD": unquote(password)}


def with_search_path(dsn: str, schema: str) -> str:
    """Return a parsed address with a schema as the search path, beside the options that it has for the session."""
    path = quote(f"-c search_path={schema}", safe="")
    if "options=" in dsn:
        return re.sub(r"(?<=[?&])options=([^&]*)", rf"options=\1%20{path}", dsn)
    return f"{dsn}{'&' if '?' in dsn else '?'}options={path}"


def _check_host(text: str, setting: str) -> str:
    match = _HOST.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        raise _malformed(setting)
    return text


def _options(text: str, setting: str) -> list[tuple[str, str]]:
    """Return the supported options and their values."""
    supported = []
    for pair in filter(None, text.split("&")):
        name, equals, raw = pair.partition("=")
        value = _decode(raw, setting)
        if name == "ssl" and value == "true":  # the form of JDBC's addresses, which libpq accepts
            name, value = "sslmode", "require"
        if name in _SUPPORTED and equals:
            if value not in _ALLOWED_VALUES.get(name, {value}):
                raise ConfigurationError(f"{setting}: {name} is one of {', '.join(sorted(_ALLOWED_VALUES[name]))}.")
            supported.append((name, value))
        elif name in _IGNORED_VALUES and value not in _IGNORED_VALUES[name]:
            raise ConfigurationError(
                f"{setting}: the bank's driver does not support this {name}. Set it to 'prefer', or leave it out."
            )
        elif name not in _IGNORED and name not in _IGNORED_VALUES:
            names = ", ".join(sorted(_SUPPORTED - {"password"}))
            raise ConfigurationError(
                f"{setting} has an option that libpq does not know or the bank's driver does not support. Supported are {names}."
            )
    return supported


def _decode(text: str | None, setting: str) -> str:
    """Return the percent-decoded text; an empty one for None."""
    if text is None:
        return ""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text) or "%00" in text:
        raise _malformed(setting)
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _malformed(setting) from None


def _malformed(setting: str) -> ConfigurationError:
    return ConfigurationError(
        f"{setting} cannot be read: it looks like postgresql://user:password@host:5432/name. "
        "Special characters in the user's name or the password must be percent-encoded: '/' as %2F, '@' as %40, '%' as %25."
    )
