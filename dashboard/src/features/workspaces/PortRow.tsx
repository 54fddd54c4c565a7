import { ChevronDown, ExternalLink, Globe, Link2, Lock, Users, type LucideIcon } from "lucide-react";
import { useEffect, useRef, useState, type RefObject } from "react";

import type { PortAccess, WorkspacePort } from "@/api/types";
import { messageOf } from "@/api/error";
import { Button, buttonClass } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { CopyButton, SecretLine } from "@/ui/Copy";
import { Menu, MenuChoice } from "@/ui/Menu";
import { Notice } from "@/ui/states";

import { openPath, questionBefore } from "./ports";
import { useSharePort } from "./queries";

export const accessLooks: Record<PortAccess, { word: string; icon: LucideIcon; note: string }> = {
  private: { word: "Private", icon: Lock, note: "You alone" },
  link: { word: "By link", icon: Link2, note: "Whoever has a link, without signing in" },
  team: { word: "Team", icon: Users, note: "Everybody with an account here" },
  public: { word: "Public", icon: Globe, note: "Everybody, without signing in" },
};

const accesses: readonly PortAccess[] = ["private", "link", "team", "public"];

interface AccessMenuProps {
  port: WorkspacePort;
  busy: boolean;
  onChoose: (access: PortAccess) => void;
  trigger: RefObject<HTMLButtonElement | null>;
  onClosed: () => void;
}

function AccessMenu({ port, busy, onChoose, trigger, onClosed }: AccessMenuProps) {
  const { word, icon } = accessLooks[port.access];
  return (
    <Menu
      onClosed={onClosed}
      trigger={
        <Button ref={trigger} size="sm" icon={icon} busy={busy} aria-label={`Who may reach port ${port.port}: ${word}`} data-testid="port-access" data-access={port.access}>
          {word}
          <ChevronDown aria-hidden className="size-3.5 text-faint" />
        </Button>
      }
    >
      {accesses.map((access) => (
        <MenuChoice
          key={access}
          icon={accessLooks[access].icon}
          note={access === "link" && port.access === "link" ? "Make another link" : accessLooks[access].note}
          checked={access === port.access}
          onSelect={() => onChoose(access)}
          testId={`access-${access}`}
        >
          {accessLooks[access].word}
        </MenuChoice>
      ))}
    </Menu>
  );
}

/** One port: who may reach it, and a way in. What it asks and answers stands below it. */
export function PortRow({ workspaceId, port }: { workspaceId: string; port: WorkspacePort }) {
  const share = useSharePort(workspaceId, port.port);
  const [asking, setAsking] = useState<PortAccess>();
  const [link, setLink] = useState<string>();
  const trigger = useRef<HTMLButtonElement>(null);
  const confirm = useRef<HTMLButtonElement>(null);
  const question = asking && questionBefore(asking, port.access);
  const takeFocus = () => (confirm.current ?? trigger.current)?.focus();

  function answer() {
    setAsking(undefined);
    trigger.current?.focus();
  }

  useEffect(() => {
    if (asking) confirm.current?.focus();
  }, [asking]);

  function change(access: PortAccess) {
    share.mutate(access, {
      onSuccess: (shared) => {
        setLink(shared.link ?? undefined);
        if (asking) answer();
      },
    });
  }

  function choose(access: PortAccess) {
    share.reset();
    const asks = questionBefore(access, port.access) !== undefined;
    setAsking(asks ? access : undefined);
    if (!asks && access !== port.access) change(access);
  }

  return (
    <li data-testid="port-row" data-port={port.port} className="flex flex-col gap-2.5 py-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className={classes("min-w-0 flex-1", !port.is_listening && "text-faint")}>
          <p className="flex items-center gap-2 font-medium tabular-nums">
            <span aria-hidden className={classes("size-2 rounded-full", port.is_listening ? "bg-good" : "border border-line-strong")} />
            Port {port.port}
          </p>
          <p className="truncate text-xs text-faint" title={port.url}>
            {port.is_listening ? port.url.replace(/^https?:\/\//, "") : "Nothing listens on it now"}
          </p>
        </div>
        {(port.access === "team" || port.access === "public") && <CopyButton text={port.url} label={`Copy the address of port ${port.port}`} />}
        <AccessMenu port={port} busy={share.isPending && !asking} onChoose={choose} trigger={trigger} onClosed={takeFocus} />
        {port.is_listening ? (
          <a href={openPath(workspaceId, port.port)} target="_blank" rel="noreferrer" data-testid="workspace-port" className={buttonClass("primary", "sm")}>
            <ExternalLink aria-hidden className="size-4" />
            Open<span className="sr-only"> port {port.port} in a new tab</span>
          </a>
        ) : (
          <Button size="sm" variant="ghost" onClick={() => choose("private")} data-testid="close-port">
            Close<span className="sr-only"> port {port.port} to others</span>
          </Button>
        )}
      </div>
      {asking && question && (
        <Notice
          tone="warn"
          icon={accessLooks[asking].icon}
          action={
            <span className="flex gap-2">
              <Button size="sm" variant="ghost" onClick={answer}>
                Cancel
              </Button>
              <Button ref={confirm} size="sm" variant="primary" busy={share.isPending} onClick={() => change(asking)} data-testid="confirm-access">
                {question.confirm}
              </Button>
            </span>
          }
        >
          {question.text}
        </Notice>
      )}
      {share.error && <Notice tone="bad">{messageOf(share.error)}</Notice>}
      {link && port.access === "link" && !asking && (
        <SecretLine text={link} label="Copy the link" testId="port-link" note="Shown this once. Making another one ends this one." />
      )}
    </li>
  );
}
