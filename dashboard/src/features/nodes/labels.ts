export type Labels = Record<string, string>;

/** As the server has it: a word on each side, the right one may be empty. */
const KEY = /^[a-z0-9][a-z0-9._/-]{0,62}$/i;
const VALUE = /^([a-z0-9][a-z0-9._-]{0,62})?$/i;

function parts(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

function split(part: string): [string, string] {
  const at = part.indexOf("=");
  return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
}

/** `region=eu, gpu` as labels. The last one of a key holds. */
export function parseLabels(text: string): Labels {
  return Object.fromEntries(parts(text).map(split));
}

export function labelsProblem(text: string): string | undefined {
  const odd = parts(text).find((part) => {
    const [key, value] = split(part);
    return !KEY.test(key) || !VALUE.test(value);
  });
  return odd && `\`${odd}\` is no label. One looks like \`region=eu\`, or like \`gpu\`.`;
}

function formatLabel(key: string, value: string): string {
  return value ? `${key}=${value}` : key;
}

export function labelWords(labels: Labels | undefined): string[] {
  return Object.entries(labels ?? {})
    .map(([key, value]) => formatLabel(key, value))
    .sort();
}

export function formatLabels(labels: Labels | undefined): string {
  return labelWords(labels).join(", ");
}
