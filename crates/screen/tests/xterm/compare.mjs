// Two terminals of a browser: one that was there from the start, and one that was given a snapshot. Reads records from
// standard input (a letter, a length of four bytes in network order, bytes) and compares cell for cell.
//   R rows columns (two bytes each): a fresh live terminal; L: bytes for both; S: a snapshot for a fresh second one, which is
//   then compared; Z: another size for both; C: compares again.
import { readSync } from "node:fs";
import headless from "@xterm/headless";
import unicode11 from "@xterm/addon-unicode11";

let rows, columns, live, restored, answers, count = 0;

function terminal() {
  const made = new headless.Terminal({ rows, cols: columns, scrollback: 0, allowProposedApi: true, logLevel: "off" });
  made.loadAddon(new unicode11.Unicode11Addon());
  made.unicode.activeVersion = "11";
  made.shownTitle = "";
  made.onTitleChange((title) => (made.shownTitle = title));
  made.onData(() => answers++);
  const core = made._core;
  // xterm.js 6.0.0 fails where CSI 1 J erases to the corner of a screen without scrollback.
  core._inputHandler.registerCsiHandler({ final: "J" }, (params) => {
    const { lines } = core._bufferService.buffer;
    const get = lines.get;
    lines.get = (index) => get.call(lines, index) ?? (params.params[0] === 1 ? {} : undefined);
    try {
      core._inputHandler.eraseInDisplay(params, false);
    } finally {
      delete lines.get;
    }
    return true;
  });
  return made;
}

function color(word, mask = 0x3ffffff) {
  const kind = word & 0x3000000;
  return kind === 0 ? 0 : word & (kind === 0x3000000 ? mask : 0x30000ff);
}

/** What is to be seen: an empty cell looks like a space, and half a character like an empty one. */
function show(made) {
  const core = made._core;
  const buffer = core._bufferService.buffer;
  const out = [];
  for (let y = 0; y < rows; y++) {
    const line = buffer.lines.get(buffer.ybase + y);
    let text = "";
    for (let x = 0; x < columns; x++) {
      const fg = line.getFg(x), bg = line.getBg(x);
      const width = line.getWidth(x);
      let chars = line.getString(x);
      if (width === 0 && !chars && x > 0 && line.getWidth(x - 1) === 2) continue;
      if (chars === "") chars = " ";
      const extended = bg & 0x10000000 ? line._extendedAttrs[x] : undefined;
      const link = extended?.urlId ? core._oscLinkService.getLinkData(extended.urlId) : undefined;
      const underlined = (fg & 0x10000000) !== 0;
      // Whatever the style, xterm.js says that a link's is dashed.
      const style = underlined ? (extended ? (extended._ext & 0x1c000000) >> 26 : 1) : 0;
      const attributes = [
        color(fg), color(bg), (fg & 0xec000000) >>> 0, (bg & 0x6c000000) >>> 0, style, style ? color(extended?.underlineColor ?? 0) : 0,
        link ? `${link.id ?? ""} ${link.uri}` : extended?.urlId ? "?" : "",
      ].join(",");
      text += `${chars}\u241f${attributes === "0,0,0,0,0,0," ? "" : attributes}\u241e`;
    }
    out.push(text);
  }
  const { modes, decPrivateModes, isCursorHidden } = core.coreService;
  const { x, y, scrollTop, scrollBottom, savedX, savedY, tabs, savedCharset, savedCurAttrData } = buffer;
  const charsets = [0, 1, 2, 3].map((place) => core._charsetService._charsets[place]?.["q"] ?? "");
  const stops = Object.keys(tabs).map(Number).filter((stop) => tabs[stop] && stop < columns).sort((a, b) => a - b);
  const pen = core._inputHandler._curAttrData;
  out.push(JSON.stringify({
    x, y, scrollTop, scrollBottom, saved: [Math.min(savedX ?? 0, columns - 1), Math.min(savedY ?? 0, rows - 1)], savedCharset,
    savedPen: [color(savedCurAttrData.fg), color(savedCurAttrData.bg)],
    alternate: core._bufferService.buffers.active === core._bufferService.buffers.alt, stops: stops.join(" "), charsets,
    glevel: core._charsetService.glevel, charset: core._charsetService.charset, modes, decPrivateModes, isCursorHidden,
    mouse: [core.coreMouseService.activeProtocol, core.coreMouseService.activeEncoding], blink: core.options.cursorBlink,
    eol: core.options.convertEol, pen: [color(pen.fg), color(pen.bg), (pen.fg & 0xec000000) >>> 0, (pen.bg & 0x6c000000) >>> 0],
    title: made.shownTitle, join: core._inputHandler._parser.precedingJoinState >> 1, state: core._inputHandler._parser.currentState,
  }));
  return out;
}

/** Of a link that xterm.js has forgotten, as it does when the row where it began is erased, nothing is known. */
function alike(expected, found) {
  if (expected === found) return true;
  const [one, other] = [expected.split("\u241e"), found.split("\u241e")];
  const known = (cell) => cell.slice(0, cell.lastIndexOf(",") + 1) || cell.replace(/\u241f$/, "\u241f0,0,0,0,0,0,");
  return one.length === other.length && one.every((cell, x) => {
    const unknown = cell.endsWith(",?") || other[x].endsWith(",?");
    return cell === other[x] || (unknown && known(cell) === known(other[x]));
  });
}

function compare(what) {
  count++;
  const [expected, found] = [show(live), show(restored)];
  for (let y = 0; y < expected.length; y++) {
    if (alike(expected[y], found[y])) continue;
    const clean = (text) => text.replaceAll("\u241f\u241e", "").replaceAll("\u241f", "{").replaceAll("\u241e", "}");
    process.stdout.write(`differs ${what} (comparison ${count}) in row ${y}\nlive:     ${clean(expected[y])}\nrestored: ${clean(found[y])}\n`);
    process.exit(1);
  }
}

function read(length) {
  const bytes = Buffer.alloc(length);
  for (let have = 0; have < length; ) {
    const got = readSync(0, bytes, have, length - have, null);
    if (got === 0) return undefined;
    have += got;
  }
  return bytes;
}

for (let head = read(5); head; head = read(5)) {
  const bytes = read(head.readUInt32BE(1));
  switch (String.fromCharCode(head[0])) {
    case "R":
      [rows, columns] = [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
      [live, restored] = [terminal(), undefined];
      break;
    case "L":
      live._core.writeSync(bytes);
      restored?._core.writeSync(bytes);
      break;
    case "S":
      restored = terminal();
      answers = 0;
      restored._core.writeSync(bytes);
      if (answers > 0) {
        process.stdout.write("the snapshot made the terminal answer\n");
        process.exit(1);
      }
      compare("behind the snapshot");
      break;
    case "Z":
      [rows, columns] = [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
      live.resize(columns, rows);
      restored?.resize(columns, rows);
      break;
    case "C":
      if (restored) compare("behind the tail");
      break;
  }
}
process.stdout.write(`${count} comparisons\n`);
