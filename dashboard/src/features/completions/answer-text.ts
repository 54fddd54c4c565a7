export interface TextPart {
  kind: "prose" | "code";
  text: string;
}

/** Tells code between fences from the rest. A fence that is not closed yet goes on to the end. */
export function splitAnswer(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let lines: string[] = [];
  let fence: string | undefined;
  const end = (kind: TextPart["kind"]) => {
    const said = kind === "code" ? lines.join("\n") : lines.join("\n").trim();
    if (said) parts.push({ kind, text: said });
    lines = [];
  };
  for (const line of text.split("\n")) {
    const mark = /^\s*(`{3,})/.exec(line)?.[1];
    if (fence === undefined && mark) {
      end("prose");
      fence = mark;
    } else if (fence !== undefined && line.trim() === fence) {
      end("code");
      fence = undefined;
    } else lines.push(line);
  }
  end(fence === undefined ? "prose" : "code");
  return parts;
}
