import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import type { ModelLimits, Token } from "@/api/types";
import { useNow } from "@/live/now";
import { Chip } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Confirm } from "@/ui/Dialog";
import { RelativeTime } from "@/ui/RelativeTime";
import { Loading, Notice, Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { CreateTokenDialog } from "./CreateToken";
import { limitWords } from "./limits";
import { useRevokeToken, useTokens } from "./queries";

function Expiry({ at }: { at: string }) {
  const now = useNow("slow");
  const over = Date.parse(at) < now;
  return (
    <span className={over ? "text-bad" : undefined}>
      {" "}
      · {over ? "expired" : "expires"} <RelativeTime at={at} />
    </span>
  );
}

function Limits({ limits }: { limits: ModelLimits }) {
  const words = limitWords(limits);
  if (!words) return null;
  return (
    <p className="text-[13px] text-soft wrap-anywhere" title={limits.models?.join(", ")}>
      limited to <span data-testid="token-limit-words">{words}</span>
    </p>
  );
}

function TokenRow({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 py-3">
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-2 font-medium">
          {token.name}
          {token.scopes.map((scope) => (
            <Chip key={scope}>{scope}</Chip>
          ))}
        </p>
        {token.model_limits && <Limits limits={token.model_limits} />}
        <p className="text-[13px] text-faint">
          created <RelativeTime at={token.created_at} />
          {token.last_used_at ? (
            <>
              {" "}
              · last used <RelativeTime at={token.last_used_at} />
            </>
          ) : (
            " · never used"
          )}
          {token.expires_at && <Expiry at={token.expires_at} />}
        </p>
      </div>
      <Button size="sm" aria-label={`Revoke ${token.name}`} onClick={onRevoke}>
        Revoke
      </Button>
    </li>
  );
}

export function Tokens() {
  const { data: tokens, error, refetch } = useTokens();
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const revoke = useRevokeToken();

  return (
    <Panel
      title="API tokens"
      description="For the command line, scripts and agents. Each acts in your name."
      actions={
        <Button size="sm" icon={Plus} onClick={() => setCreating(true)}>
          New token
        </Button>
      }
    >
      {!tokens && error && (
        <Notice
          tone="bad"
          action={
            <Button size="sm" onClick={() => void refetch()}>
              Try again
            </Button>
          }
        >
          {messageOf(error)}
        </Notice>
      )}
      {!tokens && !error && (
        <Loading label="Loading tokens">
          <Skeleton className="h-12" />
        </Loading>
      )}
      {tokens?.length === 0 && (
        <p className="flex items-center gap-2 py-2 text-faint">
          <KeyRound aria-hidden className="size-4" /> No token yet.
        </p>
      )}
      {tokens && tokens.length > 0 && (
        <ul className="-my-3 divide-y divide-line">
          {tokens.map((token) => (
            <TokenRow
              key={token.id}
              token={token}
              onRevoke={() => {
                revoke.reset();
                setRevoking(token);
              }}
            />
          ))}
        </ul>
      )}
      <CreateTokenDialog open={creating} onOpenChange={setCreating} />
      <Confirm
        open={revoking !== null}
        onOpenChange={(open) => {
          if (!open) setRevoking(null);
        }}
        title={`Revoke ${revoking?.name ?? "the token"}?`}
        description="Whatever uses it is refused from then on, and so are the tokens that it made."
        confirm="Revoke"
        danger
        busy={revoke.isPending}
        error={revoke.error ? messageOf(revoke.error) : undefined}
        onConfirm={() => {
          if (!revoking) return;
          revoke.mutate(revoking.id, {
            onSuccess: () => {
              toast.good(`${revoking.name} is revoked.`);
              setRevoking(null);
            },
          });
        }}
      />
    </Panel>
  );
}
