import { CopyButton } from "@/ui/Copy";

import { splitAnswer } from "./answer-text";

/** What a model said: as it is, with its code set apart. */
export function AnswerText({ text }: { text: string }) {
  return splitAnswer(text).map((part, index) =>
    part.kind === "code" ? (
      <div key={index} className="relative my-2 rounded-lg border border-line bg-sunken">
        <pre className="overflow-x-auto py-2.5 pr-12 pl-3 font-mono text-[13px]">{part.text}</pre>
        <div className="absolute top-1 right-1">
          <CopyButton text={part.text} label="Copy the code" />
        </div>
      </div>
    ) : (
      <p key={index} className="my-2 wrap-anywhere whitespace-pre-wrap first:mt-0 last:mb-0">
        {part.text}
      </p>
    ),
  );
}
