import { expect, it } from "vitest";

import { splitAnswer } from "./answer-text";

it("tells code from prose, also before it ends", () => {
  expect(splitAnswer("Try this:\n\n```sh\nls\n\n  cd x\n```\n\nIt lists.")).toEqual([
    { kind: "prose", text: "Try this:" },
    { kind: "code", text: "ls\n\n  cd x" },
    { kind: "prose", text: "It lists." },
  ]);
  expect(splitAnswer("```\nlet a")).toEqual([{ kind: "code", text: "let a" }]);
  expect(splitAnswer("````\n```\n````")).toEqual([{ kind: "code", text: "```" }]);
  expect(splitAnswer("a\nb")).toEqual([{ kind: "prose", text: "a\nb" }]);
  expect(splitAnswer("")).toEqual([]);
});
