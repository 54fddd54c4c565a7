/** Amounts are whole microcredits: millionths of a credit. */
const MICRO = 1_000_000;
/** A hundredth of a credit. */
const CENT = 10_000;

/** "1.25", and "0.000420" where two digits would not say all. Never rounded: amounts have to add up. */
export function formatCredits(microcredits: number): string {
  const amount = Math.abs(Math.round(microcredits));
  const whole = Math.floor(amount / MICRO).toLocaleString("en-US");
  const rest = String(amount % MICRO).padStart(6, "0");
  return `${microcredits < 0 && amount > 0 ? "-" : ""}${whole}.${amount % CENT === 0 ? rest.slice(0, 2) : rest}`;
}

/** The same with its sign, of what an account got or gave. */
export function formatMovement(microcredits: number): string {
  return `${microcredits > 0 ? "+" : ""}${formatCredits(microcredits)}`;
}

/** For other programs: no thousands are parted, and all digits are there. */
export function plainCredits(microcredits: number): string {
  const amount = Math.abs(microcredits);
  return `${microcredits < 0 ? "-" : ""}${Math.floor(amount / MICRO)}.${String(amount % MICRO).padStart(6, "0")}`;
}

/** What somebody typed, in microcredits; undefined when it is no amount. */
export function parseCredits(text: string): number | undefined {
  const [, whole = "", rest = ""] = /^(\d+)(?:\.(\d{1,6}))?$/.exec(text.trim()) ?? [];
  if (!whole) return undefined;
  const amount = Number(whole) * MICRO + Number(rest.padEnd(6, "0"));
  return Number.isSafeInteger(amount) ? amount : undefined;
}
