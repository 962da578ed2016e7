// Amounts are decimal strings, exactly as the bank sends them. None becomes a floating-point number: sums are of BigInts in minor
// units, and Intl formats the string.

export type Money = { amount: string; currency: string };

const formatters = new Map<string, Intl.NumberFormat>();

function formatter(locale: string, currency: string, digits: number): Intl.NumberFormat {
  const key = `${locale} ${currency} ${digits}`;
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.NumberFormat(locale, { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits });
    formatters.set(key, found);
  }
  return found;
}

/** The digits after the point that a decimal string has. */
const digitsOf = (amount: string): number => amount.split(".")[1]?.length ?? 0;

/** An amount as people of a locale write it: "1.234,50 €". */
export const formatMoney = ({ amount, currency }: Money, locale: string): string =>
  formatter(locale, currency, digitsOf(amount)).format(amount as Intl.StringNumericLiteral);

/** The number of digits that a currency has: 2 for EUR, 0 for JPY, 3 for KWD. */
export const digits = (currency: string): number =>
  new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;

/**
 * What somebody typed as an amount of a currency, as the bank expects it; null if it is none. Separators are those with which
 * amounts of the currency are shown: in German "1.234,5" EUR is "1234.50".
 */
export function parseAmount(text: string, currency: string, locale: string): string | null {
  const size = digits(currency);
  const parts = formatter(locale, currency, Math.max(size, 1)).formatToParts(1234567.8);
  const separator = (type: string) => parts.find((part) => part.type === type)?.value ?? "";
  const [whole = "", fraction = "", ...more] = text.trim().split(separator("decimal"));
  const groups = whole.split(new RegExp(`[${separator("group")}\\s\u00a0\u202f'’]`));
  if (more.length || !areGroups(groups) || !/^\d*$/.test(fraction) || fraction.length > size) return null;
  const kept = groups.join("").replace(/^0+(?=\d)/, "");
  return size ? `${kept}.${fraction.padEnd(size, "0")}` : kept;
}

/** Whether digits are grouped as somewhere in the world: in threes, or in India in twos before the last three. */
const areGroups = (groups: string[]): boolean =>
  groups.length === 1 ? /^\d+$/.test(groups.join()) : /^\d{1,3}(,\d{2,3})*,\d{3}$/.test(groups.join());

/** An amount in minor units. */
export const toMinor = ({ amount }: Money): bigint => BigInt(amount.replace(".", ""));

/** Minor units as an amount with this many digits after the point. */
export function fromMinor(minor: bigint, size: number): string {
  const text = (minor < 0n ? -minor : minor).toString().padStart(size + 1, "0");
  const sign = minor < 0n ? "-" : "";
  return size ? `${sign}${text.slice(0, -size)}.${text.slice(-size)}` : sign + text;
}

/** The sums of amounts, one for each currency. */
export function totals(amounts: Money[]): Money[] {
  const sums = new Map<string, { minor: bigint; size: number }>();
  for (const money of amounts) {
    const { minor } = sums.get(money.currency) ?? { minor: 0n };
    sums.set(money.currency, { minor: minor + toMinor(money), size: digitsOf(money.amount) });
  }
  return [...sums].map(([currency, { minor, size }]) => ({ currency, amount: fromMinor(minor, size) }));
}
