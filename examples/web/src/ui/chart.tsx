// A balance over time. The picture is drawn with numbers that are exact enough for pixels; every amount in words is the bank's.

import { useId } from "react";
import { type Money, toMinor } from "../bank/money";
import { useLocale } from "./locale";

type Day = { date: string; booked: Money };
const [WIDTH, HEIGHT] = [640, 160];

export function BalanceChart({ days }: { days: Day[] }) {
  const { t, money, day } = useLocale();
  const id = useId();
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last || days.length < 2) return null;
  const minors = days.map(({ booked }) => toMinor(booked));
  const lowest = minors.reduce((a, b) => (b < a ? b : a), 0n);
  const highest = minors.reduce((a, b) => (b > a ? b : a), 1n);
  const y = (minor: bigint) => HEIGHT - Number(((minor - lowest) * BigInt(HEIGHT * 100)) / (highest - lowest)) / 100;
  const x = (index: number) => ((index / (days.length - 1)) * WIDTH).toFixed(1);
  // A balance stays as it is until it changes: steps, not slopes.
  const steps = minors.map((minor, index) => (index ? `H${x(index)}V${y(minor)}` : `M0,${y(minor)}`)).join("");
  const at = (minor: bigint) => days[minors.indexOf(minor)];
  const [low, high] = [at(minors.reduce((a, b) => (b < a ? b : a))), at(minors.reduce((a, b) => (b > a ? b : a)))];
  const summary = t("chart.summary", {
    from: day(first.date), to: day(last.date), opening: money(first.booked), closing: money(last.booked),
    lowest: low ? money(low.booked) : "", highest: high ? money(high.booked) : "",
  }); // prettier-ignore
  return (
    <figure className="chart">
      <svg viewBox={`0 -6 ${WIDTH} ${HEIGHT + 12}`} role="img" aria-labelledby={id} preserveAspectRatio="none">
        <path className="area" d={`${steps}V${y(0n)}H0Z`} />
        <path className="zero" d={`M0,${y(0n)}H${WIDTH}`} />
        <path className="line" d={steps} />
      </svg>
      <figcaption id={id}>{summary}</figcaption>
    </figure>
  );
}
