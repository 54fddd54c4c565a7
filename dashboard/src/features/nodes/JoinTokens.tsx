import { useState } from "react";

import { messageOf } from "@/api/error";
import type { JoinToken } from "@/api/types";
import { useNow } from "@/live/now";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Confirm } from "@/ui/Dialog";
import { RelativeTime } from "@/ui/RelativeTime";
import { toast } from "@/ui/toast-store";

import { formatRemaining, openTokens, remainingOf } from "./join-token";
import { NodeLabels } from "./NodeLabels";
import { useJoinTokens, useRevokeJoinToken } from "./queries";

function nameOf(token: JoinToken): string {
  return token.name ?? "A machine under its own name";
}

function Row({ token, now, onRevoke }: { token: JoinToken; now: number; onRevoke: () => void }) {
  return (
    <li data-testid="join-token" className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 py-3">
      <div className="flex min-w-0 flex-col gap-1">
        <p className="min-w-0 truncate font-medium">{nameOf(token)}</p>
        <NodeLabels labels={token.labels} />
        <p className="text-[13px] text-faint">
          made <RelativeTime at={token.created_at} /> · good for <span className="tabular-nums">{formatRemaining(remainingOf(token, now))}</span>
        </p>
      </div>
      <Button size="sm" aria-label={`Revoke the token for ${token.name ?? "a machine under its own name"}`} onClick={onRevoke}>
        Revoke
      </Button>
    </li>
  );
}

/** The invitations that nobody has used yet. */
export function JoinTokens() {
  const { data: tokens = [] } = useJoinTokens();
  const now = useNow();
  const [revoking, setRevoking] = useState<JoinToken>();
  const revoke = useRevokeJoinToken();
  const open = openTokens(tokens, now);

  return (
    <>
      {open.length > 0 && (
        <Panel title="Open invitations" description="Each lets one machine join. Its command was shown when it was made, and is not kept.">
          <ul className="-my-3 divide-y divide-line">
            {open.map((token) => (
              <Row
                key={token.id}
                token={token}
                now={now}
                onRevoke={() => {
                  revoke.reset();
                  setRevoking(token);
                }}
              />
            ))}
          </ul>
        </Panel>
      )}
      <Confirm
        open={revoking !== undefined}
        onOpenChange={(next) => {
          if (!next) setRevoking(undefined);
        }}
        title="Revoke this invitation?"
        description="No machine can join with it from then on."
        confirm="Revoke"
        testId="revoke-confirm"
        danger
        busy={revoke.isPending}
        error={revoke.error ? messageOf(revoke.error) : undefined}
        onConfirm={() => {
          if (!revoking) return;
          revoke.mutate(revoking.id, {
            onSuccess: () => {
              toast.good("The invitation is revoked.");
              setRevoking(undefined);
            },
          });
        }}
      />
    </>
  );
}
