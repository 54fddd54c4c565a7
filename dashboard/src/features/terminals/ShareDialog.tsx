import { Link2 } from "lucide-react";
import { useRef, useState, type FormEvent } from "react";

import { messageOf } from "@/api/error";
import type { Terminal, TerminalLink } from "@/api/types";
import { formatAbsolute, formatLeft } from "@/format/time";
import { useNow } from "@/live/now";
import { Button } from "@/ui/Button";
import { SecretLine } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Field, inputClass } from "@/ui/Field";
import { RelativeTime } from "@/ui/RelativeTime";
import { Notice, Skeleton } from "@/ui/states";

import { useCreateTerminalLink, useDeleteTerminalLink, useTerminalLinks } from "./queries";

const HOUR = 3600;
const DAY = 24 * HOUR;
const lifetimes = [
  { seconds: HOUR, label: "1 hour" },
  { seconds: DAY, label: "1 day" },
  { seconds: 7 * DAY, label: "7 days" },
  { seconds: 30 * DAY, label: "30 days" },
];

interface ShareProps {
  workspaceId: string;
  terminal: Pick<Terminal, "id" | "name">;
}

function LinkRow({ link, isNew, onTakeBack, busy }: { link: TerminalLink; isNew: boolean; onTakeBack: () => void; busy: boolean }) {
  const now = useNow("slow");
  const until = Date.parse(link.expires_at);
  return (
    <li data-testid="terminal-link" className="flex items-center justify-between gap-3 px-3 py-2">
      <p className="min-w-0 text-[13px]">
        Made <RelativeTime at={link.created_at} />
        {isNew && <span className="text-faint"> (the one above)</span>}
        <span className="block text-faint">
          Good for{" "}
          <time dateTime={link.expires_at} title={formatAbsolute(until)}>
            {formatLeft(until, now)}
          </time>{" "}
          more
        </span>
      </p>
      <Button size="sm" busy={busy} onClick={onTakeBack} data-testid="take-back">
        Take back
      </Button>
    </li>
  );
}

function Links({ workspaceId, terminal, newest, onTakenBack }: ShareProps & { newest: string | undefined; onTakenBack: (id: string) => void }) {
  const { data: links, error } = useTerminalLinks(workspaceId, terminal.id);
  const remove = useDeleteTerminalLink(workspaceId, terminal.id);
  const heading = useRef<HTMLHeadingElement>(null);
  const failure = error ?? remove.error;

  function takeBack(id: string) {
    remove.mutate(id, {
      onSuccess: () => {
        onTakenBack(id);
        // The button goes with its row.
        heading.current?.focus();
      },
    });
  }

  return (
    <section aria-label="Links" className="flex flex-col gap-2">
      <h3 ref={heading} tabIndex={-1} className="font-medium outline-none">
        Links that are good now
      </h3>
      {failure && <Notice tone="bad">{messageOf(failure)}</Notice>}
      {!links && !error && <Skeleton className="h-14" />}
      {links?.length === 0 && <p className="rounded-lg border border-dashed border-line-strong px-3 py-4 text-center text-[13px] text-faint">None. Nobody but you sees this terminal.</p>}
      {links && links.length > 0 && (
        <ul className="divide-y divide-line rounded-lg border border-line">
          {links
            .map((link) => (
              <LinkRow key={link.id} link={link} isNew={link.id === newest} busy={remove.isPending && remove.variables === link.id} onTakeBack={() => takeBack(link.id)} />
            ))
            .reverse()}
        </ul>
      )}
    </section>
  );
}

/** Links by which others watch a terminal. */
export function ShareDialog({ workspaceId, terminal, onDone, onClosed }: ShareProps & { onDone: () => void; onClosed: () => void }) {
  const [seconds, setSeconds] = useState(DAY);
  const create = useCreateTerminalLink(workspaceId, terminal.id);
  const made = create.data;

  function submit(event: FormEvent) {
    event.preventDefault();
    create.mutate(seconds);
  }

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onDone()}
      onClosed={onClosed}
      title={`Share ${terminal.name}`}
      description="Who has a link sees everything in this terminal, without signing in, and types nothing."
    >
      <div className="flex flex-col gap-5">
        <form onSubmit={submit} className="flex flex-col gap-3">
          <div className="flex items-end gap-3">
            <div className="flex-1">
              <Field label="Good for">
                {(control) => (
                  <select {...control} value={seconds} onChange={({ target }) => setSeconds(Number(target.value))} className={inputClass} data-testid="link-lifetime">
                    {lifetimes.map((each) => (
                      <option key={each.seconds} value={each.seconds}>
                        {each.label}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
            </div>
            <Button type="submit" variant="primary" icon={Link2} busy={create.isPending} data-testid="make-link">
              Make a link
            </Button>
          </div>
          {create.error && <Notice tone="bad">{messageOf(create.error)}</Notice>}
          {made && <SecretLine text={made.url} label="Copy the link" testId="terminal-link-url" note="Shown this once: copy it now." />}
        </form>
        <Links workspaceId={workspaceId} terminal={terminal} newest={made?.id} onTakenBack={(id) => id === made?.id && create.reset()} />
      </div>
    </Dialog>
  );
}
