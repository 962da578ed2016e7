"""The load generator: wrk with a Lua script for throughput, and repeated requests of a single client for response times."""

import asyncio
import os
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

_PRELUDE = """
local turn, refused = 0, 0
local tokens = {{ {tokens} }}
local headers = {{}}
for i = 1, math.max(1, #tokens) do
  headers[i] = {{ ["Content-Type"] = "application/json", ["Authorization"] = tokens[i] and "Bearer " .. tokens[i] }}
end
function post(body)
  return wrk.format("POST", nil, headers[turn % #headers + 1], body)
end
function setup(thread) the_thread = thread end
function done() print("refused: " .. the_thread:get("all_refused")) end
all_refused = 0
"""
_FIXED = """
local bodies, ready = {{ {bodies} }}, {{}}
function init()
  for i = 1, #bodies * #headers do
    turn = i
    ready[i] = post(bodies[i % #bodies + 1])
  end
end
function request()
  turn = turn % #ready + 1
  return ready[turn]
end
"""
_TRANSFERS = """
math.randomseed(tonumber(run, 16))
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local function base64(text)
  local out = {{}}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for j = 1, (c and 4) or (b and 3) or 2 do
      local at = math.floor(n / 64 ^ (4 - j)) % 64 + 1
      out[#out + 1] = letters:sub(at, at)
    end
  end
  return table.concat(out)
end
local users, accounts = {users}, {accounts}
local function account(n)
  return {account}
end
local keys = 0
local function transfer()
  local from = math.random(0, accounts / users - 1) * users + turn % users
  local to = {target}
  if to == from then to = (to + 1) % accounts end
  keys = keys + 1
  return {transfer}
end
function request()
  turn = turn + 1
  {body}
end
function response(status, _, body)
  local refused = body:find('"errors"', 1, true) or body:find("Rejection", 1, true) or body:find('"replayed":true', 1, true)
  if refused or body:find('"rejected":[1-9]') then all_refused = all_refused + 1 end
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests to send.

    Attributes:
        url: the address that they are sent to.
        script: wrk's script, which gets a hexadecimal `run` that is new in each run.
        sample: one of the bodies, where they are always the same, and its token. Its answer is checked before each run, because the
            generator checks the status only.
    """

    url: str
    script: str
    sample: tuple[bytes, str | None] | None = None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of a load.

    Attributes:
        per_second: requests answered per second.
        generator: the share of a core that the generator took.
    """

    per_second: float
    generator: float


def fixed(url: str, bodies: Sequence[bytes], tokens: Sequence[str] = ()) -> Load:
    """Return a load that repeats the same bodies, each with each of the tokens."""
    script = _prelude(tokens) + _FIXED.format(bodies=", ".join(f"[==[{body.decode()}]==]" for body in bodies))
    return Load(url, script, (bodies[0], tokens[0] if tokens else None))


def transfers(
    url: str,
    tokens: Sequence[str],
    *,
    query: str,
    item: str,
    account: str,
    accounts: int,
    users: int,
    batch: int = 0,
    hot: int | None = None,
) -> Load:
    """Return a load of transfers between random accounts, each with a new key. The n-th request pays from an account of the n-th user.

    Args:
        url: the address that they are sent to.
        tokens: the users' access tokens.
        query: the document.
        item: a Lua expression for the variables of one transfer, in terms of `from`, `to` and `key`.
        account: a Lua expression for the id of account `n`.
        accounts: the number of accounts.
        users: the number of users that own them.
        batch: the number of transfers in a request; 0 for one transfer, whose input is the variables.
        hot: the account that all transfers pay to; None for any.
    """
    document = orjson.dumps(query).decode()
    head, tail = f'{{"query":{document},"variables":', "}"
    one = f"return post([==[{head}]==] .. transfer() .. [==[{tail}]==])"
    head += '{"input":{"transfers":['
    many = (
        f"local items = {{}}\n  for i = 1, {batch} do items[i] = transfer() end\n"
        f'  return post([==[{head}]==] .. table.concat(items, ",") .. "]}}}}}}")'
    )
    return Load(
        url,
        _prelude(tokens)
        + _TRANSFERS.format(
            users=users,
            accounts=accounts,
            account=account,
            target="math.random(0, accounts - 1)" if hot is None else hot,
            transfer=item.replace("KEY", 'run .. "-" .. keys'),
            body=many if batch else one,
        ),
    )


def _prelude(tokens: Sequence[str]) -> str:
    return _PRELUDE.format(tokens=", ".join(f'"{token}"' for token in tokens))


async def run(load: Load, *, clients: int, seconds: float) -> LoadResult:
    """Send requests as fast as they are answered, over `clients` connections.

    Raises:
        RuntimeError: some answers are errors, refusals or replays.
    """
    if load.sample is not None:
        await _require_answer(load.url, *load.sample)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".lua", delete=False) as script:
        script.write(f'run = "{secrets.token_hex(4)}"\n{load.script}')
    before, started = os.times(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        "wrk",
        *("-t", "1", "-c", str(clients), "-d", f"{seconds:.0f}s", "--timeout", "20s", "-s", script.name, load.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    took, after = time.perf_counter() - started, os.times()
    Path(script.name).unlink()
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    ok = not process.returncode and "refused: 0" in output and "Non-2xx" not in output and "Socket errors" not in output
    if found is None or not ok:
        raise RuntimeError(f"Some requests of the load failed:\n{output}")
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return LoadResult(float(found.group(1)), spent / took)


async def _require_answer(url: str, body: bytes, token: str | None) -> None:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    async with httpx.AsyncClient(timeout=30) as http:
        response = await http.post(url, content=body, headers=headers)
    if "errors" in response.json():
        raise RuntimeError(f"A read failed: {response.text[:500]}")


async def milliseconds(url: str, body: dict[str, Any], token: str, times: int) -> float:
    """Return the median response time of a request that a single client repeats, in milliseconds.

    Raises:
        RuntimeError: an answer has errors.
    """
    took = []
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http:
        for _ in range(times + 5):
            started = time.perf_counter()
            response = await http.post(url, json=body)
            took.append(time.perf_counter() - started)
            if "errors" in response.text:
                raise RuntimeError(response.text[:500])
    return statistics.median(took[5:]) * 1000
