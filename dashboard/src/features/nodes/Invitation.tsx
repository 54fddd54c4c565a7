import { CircleCheck, LoaderCircle, RotateCw, TimerOff, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { messageOf } from "@/api/error";
import type { JoinTokenCreated, Node } from "@/api/types";
import { useNow } from "@/live/now";
import { Button, ButtonLink } from "@/ui/Button";
import { CommandLine } from "@/ui/Copy";
import { Notice } from "@/ui/states";

import { arrivalOf, formatRemaining } from "./join-token";
import { isConnected } from "./node-status";
import { useJoinTokens, useNodes } from "./queries";

function LocalOnly({ url }: { url: string }) {
  return (
    <Notice tone="warn" icon={TriangleAlert}>
      {`Other machines cannot reach \`${url}\`: only this server's own machine gets there. Set \`orchestrator.bind_address\` to an address that they reach, such as \`0.0.0.0:4000\`, and \`orchestrator.public_url\` to what they shall call it; restart NanoScale, and make a new command.`}
    </Notice>
  );
}

function Command({ title, command, testId }: { title: string; command: string; testId: string }) {
  return (
    <div className="min-w-0" data-testid={testId}>
      <h3 className="mb-1.5 text-[13px] text-soft">{title}</h3>
      <CommandLine command={command} whole />
    </div>
  );
}

/** The machine has shown itself. */
function Arrived({ node, onDone }: { node: Node | undefined; onDone: () => void }) {
  const online = node != null && isConnected(node);
  return (
    <div className="flex flex-col gap-4" data-testid="arrival" data-step={online ? "online" : "joined"}>
      <div role="status">
        <Notice tone={online ? "good" : "busy"}>
          <span className="flex items-center gap-2">
            {online ? <CircleCheck aria-hidden className="size-4 shrink-0" /> : <LoaderCircle aria-hidden className="size-4 shrink-0 animate-spin" />}
            {online ? `${node.name} is here and online.` : `${node?.name ?? "The machine"} has joined, and connects now.`}
          </span>
        </Notice>
      </div>
      {node && (
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onDone}>Close</Button>
          <ButtonLink to={`/servers/${node.id}`} variant={online ? "primary" : "secondary"} data-testid="open-node">
            Open its page
          </ButtonLink>
        </div>
      )}
    </div>
  );
}

interface Again {
  busy: boolean;
  error: unknown;
  ask: () => void;
}

function Over({ why, again }: { why: string; again: Again }) {
  return (
    <div className="flex flex-col gap-4" data-testid="arrival" data-step="over">
      <Notice tone="warn" icon={TimerOff}>
        {why}
      </Notice>
      {again.error != null && <Notice tone="bad">{messageOf(again.error)}</Notice>}
      <div className="flex justify-end">
        <Button variant="primary" icon={RotateCw} busy={again.busy} onClick={again.ask} data-testid="make-another">
          Make a new one
        </Button>
      </div>
    </div>
  );
}

function Waiting({ created, remaining }: { created: JoinTokenCreated; remaining: ReactNode }) {
  return (
    <div className="flex flex-col gap-4" data-testid="arrival" data-step="waiting">
      {created.local_only && <LocalOnly url={created.url} />}
      <p className="text-soft">Run one of these as root on the machine that shall become a server. It works once.</p>
      <Command title="On a machine without NanoScale" command={created.install_command} testId="install-command" />
      <Command title="On one that has it" command={created.command} testId="join-command" />
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 text-[13px]">
        <p role="status" className="flex items-center gap-2 text-soft">
          <LoaderCircle aria-hidden className="size-4 animate-spin text-accent-ink" /> Waiting for the machine…
        </p>
        <p className="text-faint">
          good for <span className="font-medium text-ink tabular-nums">{remaining}</span>
        </p>
      </div>
      <p className="text-[13px] text-faint">You may close this: the invitation stays in the list of servers, where it can be revoked.</p>
    </div>
  );
}

interface InvitationProps {
  created: JoinTokenCreated;
  /** By this machine's clock, in milliseconds. */
  askedAt: number;
  again: Again;
  onDone: () => void;
}

/** The commands of a token, and the machine that comes with it. */
export function Invitation({ created, askedAt, again, onDone }: InvitationProps) {
  const now = useNow();
  const { data: tokens = [] } = useJoinTokens();
  const { data: nodes = [] } = useNodes();
  const remaining = created.expires_in_seconds * 1000 - Math.max(0, now - askedAt);
  const arrival = arrivalOf(
    tokens.find((token) => token.id === created.id),
    nodes,
    remaining,
  );
  switch (arrival.step) {
    case "joined":
      return <Arrived node={arrival.node} onDone={onDone} />;
    case "expired":
      return <Over why="The command has expired: no machine came with it in time." again={again} />;
    case "revoked":
      return <Over why="The invitation was revoked. Its command opens nothing any more." again={again} />;
    case "waiting":
      return <Waiting created={created} remaining={formatRemaining(remaining)} />;
  }
}
