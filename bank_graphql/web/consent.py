"""The pages on which users sign in and consent to what a registered client wants. Plain HTML: no script, no cookie.

What the pages carry from one to the next is sealed, and good for ten minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "label{display:block;margin:.75rem 0 .25rem}input:not([type=checkbox]),select{font:inherit;padding:.4rem;width:100%;"
    "box-sizing:border-box}fieldset{margin:1rem 0;border:1px solid #767676}fieldset label{font-weight:normal}"
    "button{font:inherit;padding:.6rem 1.2rem;margin:1rem .5rem 0 0}.problem{border-left:.3rem solid #b00020;padding-left:.75rem}"
    "@media(prefers-color-scheme:dark){body{background:#1a1a1a;color:#f0f0f0}}"
)
WORDS = {
    "openid": "know that it is you",
    "profile": "read your name, e-mail address and phone number",
    "accounts:read": "read the accounts that you choose, and their balances",
    "transactions:read": "read their entries, transactions and statements",
    "cards:read": "read their cards and limits, but no card numbers",
    "payments:write": "pay from them, up to the limit that you set; for more it must wait until you approve",
}
"""What each scope means, in the words of the page."""
DAYS = (1, 30, 90, 180, 365)
"""For how long a user may consent."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An account that a user may choose."""

    id: str
    label: str
    currency: str


def login(bank: str, client: str, sealed: str, redirect_uri: str, problem: str | None = None) -> Response:
    """Return the page on which the user signs in."""
    fields = (
        '<label for="email">E-mail address</label>'
        '<input id="email" name="email" type="email" autocomplete="username" required>'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" required>'
    )
    lead = f"<p><strong>{escape(client)}</strong> wants to use your accounts. Sign in to decide.</p>"
    return _form(bank, "Sign in", lead + _hidden("request", sealed) + fields, redirect_uri, "login", "Sign in", problem)


def code(bank: str, client: str, sealed: str, redirect_uri: str, problem: str | None = None) -> Response:
    """Return the page on which the user enters the code of the second factor."""
    fields = (
        '<label for="code">The code that your app shows, or a recovery code</label>'
        '<input id="code" name="code" autocomplete="one-time-code" required>'
    )
    lead = f"<p>To decide about <strong>{escape(client)}</strong>.</p>"
    return _form(bank, "Your second factor", lead + _hidden("request", sealed) + fields, redirect_uri, "code", "Go on", problem)


def consent(
    bank: str,
    client: str,
    sealed: str,
    redirect_uri: str,
    scopes: Sequence[str],
    accounts: Sequence[Choice],
    problem: str | None = None,
) -> Response:
    """Return the page on which the user consents, chooses accounts, a limit and an end, or refuses."""
    wants = "".join(f"<li>{escape(WORDS[scope])}</li>" for scope in scopes)
    parts = [f"<p><strong>{escape(client)}</strong> will be able to:</p><ul>{wants}</ul>", _hidden("request", sealed)]
    if any(scope in {"accounts:read", "transactions:read", "cards:read", "payments:write"} for scope in scopes):
        boxes = "".join(
            f'<label><input type="checkbox" name="account" value="{escape(each.id)}"> {escape(each.label)}</label>'
            for each in accounts
        )
        parts.append(f"<fieldset><legend>Accounts</legend>{boxes or '<p>You have no account.</p>'}</fieldset>")
    if "payments:write" in scopes:
        currencies = "".join(f"<option>{escape(each)}</option>" for each in dict.fromkeys(a.currency for a in accounts))
        parts.append(
            '<label for="limit">How much a day, without your approval</label>'
            '<input id="limit" name="limit" inputmode="decimal" value="0" required>'
            f'<label for="currency">Currency</label><select id="currency" name="currency">{currencies}</select>'
        )
    options = "".join(f'<option value="{days}"{" selected" if days == 90 else ""}>{days} days</option>' for days in DAYS)
    parts.append(f'<label for="days">For how long</label><select id="days" name="days">{options}</select>')
    parts.append("<p>You can end this at any time, in your list of programs.</p>")
    deny = '<button name="step" value="deny" formnovalidate>Refuse</button>'
    return _form(bank, f"Let {client} act for you?", "".join(parts), redirect_uri, "allow", "Allow", problem, deny)


def refusal(bank: str, message: str, status: int = 400) -> Response:
    """Return the page for a request that cannot be answered at a redirect URI."""
    return _page(
        bank, "This does not work", f"<p>{escape(message)}</p><p>Go back to the application, and begin again.</p>", "", status
    )


def _form(
    bank: str, title: str, content: str, redirect_uri: str, step: str, button: str, problem: str | None, more: str = ""
) -> Response:
    shown = "" if problem is None else f'<p class="problem" role="alert">{escape(problem)}</p>'
    form = (
        f'{shown}<form method="post" action="authorize">{content}'
        f'<button name="step" value="{step}">{escape(button)}</button>{more}</form>'
    )
    return _page(bank, title, form, redirect_uri, 200 if problem is None else 422)


def _page(bank: str, title: str, content: str, redirect_uri: str, status: int) -> Response:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · {escape(bank)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    # A browser applies form-action to where the answer of the form redirects, too.
    parts = urlsplit(redirect_uri)
    target = f" {parts.scheme}://{parts.netloc}" if parts.netloc else f" {parts.scheme}:" if parts.scheme else ""
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{target}; "
        "base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return HTMLResponse(html, status, headers)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'
