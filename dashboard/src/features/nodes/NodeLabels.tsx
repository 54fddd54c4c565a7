import { Tag } from "lucide-react";

import { labelWords, type Labels } from "./labels";

export function NodeLabels({ labels }: { labels: Labels | undefined }) {
  const words = labelWords(labels);
  if (words.length === 0) return null;
  return (
    <ul aria-label="Labels" className="flex min-w-0 flex-wrap gap-1.5">
      {words.map((word) => (
        <li key={word} className="inline-flex h-5 max-w-full items-center gap-1 rounded border border-line bg-sunken px-1.5 font-mono text-xs font-normal tracking-normal text-soft">
          <Tag aria-hidden className="size-3 shrink-0 text-faint" />
          <span className="truncate">{word}</span>
        </li>
      ))}
    </ul>
  );
}
