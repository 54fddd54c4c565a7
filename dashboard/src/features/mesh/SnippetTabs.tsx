import { Tabs } from "radix-ui";

import { CopyButton } from "@/ui/Copy";
import { Prose } from "@/ui/Prose";

import type { Snippet } from "./connect";

const triggerClass =
  "-mb-px shrink-0 border-b-2 border-transparent px-2.5 py-2 font-medium whitespace-nowrap text-faint hover:text-ink focus-visible:-outline-offset-2 data-[state=active]:border-accent data-[state=active]:text-ink";

/** Texts to copy, one at a time. */
export function SnippetTabs({ snippets }: { snippets: Snippet[] }) {
  return (
    <Tabs.Root defaultValue={snippets[0]?.id}>
      <Tabs.List aria-label="Kind of program" className="flex gap-1 [scrollbar-width:none] overflow-x-auto overflow-y-hidden border-b border-line">
        {snippets.map(({ id, label }) => (
          <Tabs.Trigger key={id} value={id} className={triggerClass} data-testid={`snippet-tab-${id}`}>
            {label}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {snippets.map(({ id, label, note, text }) => (
        <Tabs.Content key={id} value={id} className="flex flex-col gap-2 pt-3" tabIndex={-1}>
          <p className="text-[13px] wrap-anywhere text-faint">
            <Prose>{note}</Prose>
          </p>
          <div className="relative rounded-lg border border-line bg-sunken">
            <pre tabIndex={0} aria-label={label} data-testid={`snippet-${id}`} className="overflow-x-auto rounded-lg py-2.5 pr-12 pl-3 font-mono text-[13px]">
              {text}
            </pre>
            <div className="absolute top-1 right-1">
              <CopyButton text={text} label="Copy the snippet" />
            </div>
          </div>
        </Tabs.Content>
      ))}
    </Tabs.Root>
  );
}
