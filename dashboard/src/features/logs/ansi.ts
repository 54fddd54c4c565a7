export interface Segment {
  text: string;
  className: string;
}

// eslint-disable-next-line no-control-regex
const ESCAPE = /\u001b(?:\[([0-9;?]*)([A-Za-z])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[()][A-Z0-9])/g;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

const COLOURS: Record<number, string> = {
  1: "text-bad",
  2: "text-good",
  3: "text-warn",
  4: "text-accent-ink",
  5: "text-accent-ink",
  6: "text-accent-ink",
};

interface Style {
  bold: boolean;
  faint: boolean;
  colour: string;
}

function classNameOf({ bold, faint, colour }: Style): string {
  return [bold && "font-semibold", colour || (faint && "text-faint")].filter(Boolean).join(" ");
}

function applyCodes(style: Style, parameters: string): Style {
  const codes = parameters === "" ? [0] : parameters.split(";").map(Number);
  let { bold, faint, colour } = style;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 0) [bold, faint, colour] = [false, false, ""];
    else if (code === 1) bold = true;
    else if (code === 2) faint = true;
    else if (code === 22) [bold, faint] = [false, false];
    else if (code === 39) colour = "";
    else if (code >= 30 && code <= 37) colour = COLOURS[code - 30] ?? "";
    else if (code === 90) colour = "text-faint";
    else if (code >= 91 && code <= 97) colour = COLOURS[code - 90] ?? "";
    else if (code === 38 || code === 48) index += codes[index + 1] === 5 ? 2 : 4;
  }
  return { bold, faint, colour };
}

/** A progress bar writes its line again and again; what it wrote last is what a terminal shows. */
function lastRewrite(text: string): string {
  const trimmed = text.replace(/\r+$/, "");
  return trimmed.slice(trimmed.lastIndexOf("\r") + 1);
}

/** The text without the codes that colour it. */
export function plainText(text: string): string {
  return lastRewrite(text).replace(ESCAPE, "").replace(CONTROL, "");
}

/** The text in coloured pieces; the codes themselves and everything else a terminal would act on are left out. */
export function parseAnsi(raw: string): Segment[] {
  const text = lastRewrite(raw);
  if (!text.includes("\u001b")) return [{ text: text.replace(CONTROL, ""), className: "" }];
  const segments: Segment[] = [];
  let style: Style = { bold: false, faint: false, colour: "" };
  let from = 0;
  const push = (until: number) => {
    const piece = text.slice(from, until).replace(CONTROL, "");
    if (piece) segments.push({ text: piece, className: classNameOf(style) });
  };
  for (const match of text.matchAll(ESCAPE)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") style = applyCodes(style, match[1] ?? "");
  }
  push(text.length);
  return segments;
}
