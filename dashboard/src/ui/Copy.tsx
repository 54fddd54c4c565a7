import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";

import { Button, IconButton } from "./Button";
import { copyText } from "./clipboard";
import { classes } from "./classes";
import { toast } from "./toast-store";

function useCopied(): [boolean, (text: string) => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = window.setTimeout(() => setCopied(false), 1800);
    return () => window.clearTimeout(timer);
  }, [copied]);
  async function copy(text: string) {
    const done = await copyText(text);
    setCopied(done);
    if (!done) toast.bad("Your browser did not let us copy. Select the text and copy it yourself.");
  }
  return [copied, (text) => void copy(text)];
}

export function CopyButton({ text, label = "Copy", labelled = false }: { text: string; label?: string; labelled?: boolean }) {
  const [copied, copy] = useCopied();
  const icon = copied ? Check : Copy;
  if (labelled) {
    return (
      <Button size="sm" icon={icon} onClick={() => copy(text)}>
        {copied ? "Copied" : label}
      </Button>
    );
  }
  return <IconButton label={copied ? "Copied" : label} icon={icon} onClick={() => copy(text)} />;
}

/** A command to type, with a button that copies it. A long one may be shown as a whole, to be read before it is run. */
export function CommandLine({ command, className, whole = false }: { command: string; className?: string; whole?: boolean }) {
  return (
    <div className={classes("flex items-center gap-2 rounded-lg border border-line bg-sunken py-1 pr-1 pl-3", className)}>
      <code className={classes("min-w-0 flex-1 py-1 text-left font-mono", whole ? "text-xs wrap-anywhere whitespace-pre-wrap" : "overflow-x-auto text-[13px] whitespace-pre")}>
        <span aria-hidden className="text-faint select-none">
          ${" "}
        </span>
        {command}
      </code>
      <CopyButton text={command} label="Copy the command" />
    </div>
  );
}

interface SecretLineProps {
  text: string;
  /** Of the button. */
  label: string;
  note: string;
  testId?: string;
}

/** What is shown once, to be copied now. Says so also to who does not see it appear. */
export function SecretLine({ text, label, note, testId }: SecretLineProps) {
  return (
    <div role="status" className="flex flex-col gap-1.5">
      <div className="flex items-center gap-2 rounded-lg border border-line bg-sunken py-1 pr-1 pl-3">
        <code data-testid={testId} className="min-w-0 flex-1 py-1 font-mono text-xs wrap-anywhere">
          {text}
        </code>
        <CopyButton text={text} label={label} labelled />
      </div>
      <p className="text-[13px] text-faint">{note}</p>
    </div>
  );
}
