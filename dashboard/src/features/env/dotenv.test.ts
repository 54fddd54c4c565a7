import { describe, expect, it } from "vitest";

import { looksLikeDotenv, parseDotenv } from "./dotenv";

const read = (text: string) => Object.fromEntries(parseDotenv(text).map(({ key, value }) => [key, value]));

describe("parseDotenv", () => {
  it("reads plain assignments, comments and export", () => {
    expect(read("# database\nexport DATABASE_URL=postgres://u:p@h/db?x=1\n\nPORT = 3000 # the port\nEMPTY=\n")).toEqual({
      DATABASE_URL: "postgres://u:p@h/db?x=1",
      PORT: "3000",
      EMPTY: "",
    });
  });

  it("keeps a # that belongs to the value", () => {
    expect(read('COLOUR=#fff\nPASS=a#b\nQUOTED="a # b" # c')).toEqual({ COLOUR: "", PASS: "a#b", QUOTED: "a # b" });
  });

  it("knows three kinds of quotes", () => {
    expect(read(`A="line\\nnext \\"x\\" \\$HOME"\nB='as \\n is'\nC=\`back"tick\``)).toEqual({
      A: 'line\nnext "x" $HOME',
      B: "as \\n is",
      C: 'back"tick',
    });
  });

  it("reads a value over several lines", () => {
    expect(read('KEY="-----BEGIN-----\nabc\n-----END-----"\nNEXT=1')).toEqual({ KEY: "-----BEGIN-----\nabc\n-----END-----", NEXT: "1" });
  });

  it("takes the later of two and survives rubbish and CRLF", () => {
    expect(read("A=1\r\nnot an assignment\r\nA=2\r\n=3\r\n1X=4")).toEqual({ A: "2" });
  });

  it("takes an unclosed quote as it stands", () => {
    expect(read("A=\"open\nB=2")).toEqual({ A: '"open', B: "2" });
  });
});

it("tells assignments from a name", () => {
  expect(looksLikeDotenv("API_KEY")).toBe(false);
  expect(looksLikeDotenv("API_KEY=1")).toBe(true);
});
