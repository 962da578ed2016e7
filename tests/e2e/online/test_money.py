"""Amounts in the online bank: exact, however large, and as people of a locale write them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "examples" / "web" / "src" / "bank" / "money.ts"
ESBUILD = ROOT / "tests" / "e2e" / "clients" / "node_modules" / ".bin" / "esbuild"

pytestmark = pytest.mark.skipif(not ESBUILD.exists(), reason="npm is not installed, or 'make tools' was not run; .ci/run does")


def evaluate(folder: Path, calls: list[tuple[str, list[Any]]]) -> list[Any]:
    """Call functions of the module."""
    compiled = folder / "money.mjs"
    subprocess.run([ESBUILD, SOURCE, f"--outfile={compiled}", "--format=esm", "--log-level=warning"], check=True)
    script = f"""
        import * as money from {json.dumps(str(compiled))};
        const results = {json.dumps(calls)}.map(([name, given]) => money[name](...given));
        console.log(JSON.stringify(results, (_, value) => typeof value === "bigint" ? String(value) : value));
    """
    done = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    results: list[Any] = json.loads(done.stdout)
    return results


PARSED = [
    ("12", "EUR", "en-GB", "12.00"), ("12.5", "EUR", "en-GB", "12.50"), ("1,234.56", "EUR", "en-GB", "1234.56"),
    ("1.234,56", "EUR", "de-DE", "1234.56"), ("1.234", "EUR", "de-DE", "1234.00"), ("0,5", "EUR", "de-DE", "0.50"),
    (" 007 ", "EUR", "en-GB", "7.00"), ("1 234,5", "EUR", "fr-FR", "1234.50"), ("5,", "EUR", "de-DE", "5.00"),
    ("9007199254740993.01", "EUR", "en-GB", "9007199254740993.01"), ("500", "JPY", "en-GB", "500"), ("1.234", "KWD", "en-GB", "1.234"),
    ("1.500", "KWD", "en-DE", "1.500"), ("1.50", "EUR", "en-DE", "1.50"), ("1,00,000", "INR", "en-IN", "100000.00"),
    ("1'234.50", "CHF", "de-CH", "1234.50"), ("1.234,50", "EUR", "de-AT", "1234.50"), ("1 0 0", "EUR", "fr-FR", None),
    ("10 00", "EUR", "fr-FR", None), ("1.23", "EUR", "de-DE", None), ("12.345", "EUR", "en-GB", None), ("1.5", "JPY", "en-GB", None), ("1,23,4", "EUR", "en-GB", None),
    ("-5", "EUR", "en-GB", None), ("", "EUR", "en-GB", None), ("1e3", "EUR", "en-GB", None), ("1.2.3", "EUR", "en-GB", None),
]  # fmt: skip


def test_what_people_type_is_an_exact_amount_or_none(tmp_path: Path) -> None:
    found = evaluate(tmp_path, [("parseAmount", [text, currency, locale]) for text, currency, locale, _ in PARSED])
    assert list(zip([case[:3] for case in PARSED], found, strict=True)) == [(case[:3], case[3]) for case in PARSED]


def test_amounts_are_formatted_and_summed_exactly(tmp_path: Path) -> None:
    def money(amount: str, currency: str = "EUR") -> dict[str, str]:
        return {"amount": amount, "currency": currency}

    large = [
        money("9007199254740993.01"),
        money("0.02"),
        money("-0.04"),
        money("5", "JPY"),
        money("-7", "JPY"),
        money("0.001", "KWD"),
    ]
    formatted, german, yen, sums = evaluate(
        tmp_path,
        [
            ("formatMoney", [money("9007199254740993.01"), "en-GB"]),
            ("formatMoney", [money("-1234.50"), "de-DE"]),
            ("formatMoney", [money("1234", "JPY"), "ja-JP"]),
            ("totals", [large]),
        ],
    )
    assert formatted == "€9,007,199,254,740,993.01"
    assert german == "-1.234,50\u00a0€"
    assert yen == "￥1,234"
    assert sums == [
        {"currency": "EUR", "amount": "9007199254740992.99"},
        {"currency": "JPY", "amount": "-2"},
        {"currency": "KWD", "amount": "0.001"},
    ]
