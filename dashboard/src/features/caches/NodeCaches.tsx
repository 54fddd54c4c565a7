import { Brush } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";

import { ApiError, messageOf } from "@/api/error";
import type { BuildCache, BuildCacheList } from "@/api/types";
import { formatBytes, percentOf, plural } from "@/format/quantity";
import { formatDuration } from "@/format/time";
import { Chip } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Confirm } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Meter } from "@/ui/Meter";
import { RelativeTime } from "@/ui/RelativeTime";
import { ErrorState, Loading, Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { megabytes, megabytesProblem } from "./amount";
import { useCaches, usePrune, useWouldFree } from "./queries";

function nameOf(cache: BuildCache): string {
  return cache.project_name ?? cache.project_id;
}

function Row({ cache }: { cache: BuildCache }) {
  return (
    <li data-testid="cache" className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-0.5 py-2.5">
      <span className="flex min-w-0 items-baseline gap-2">
        <Link to={`/projects/${cache.project_id}/settings`} className="min-w-0 truncate rounded font-medium hover:underline">
          {nameOf(cache)}
        </Link>
        {cache.in_use && <Chip title="A build works with it now">in use</Chip>}
      </span>
      <span className="flex flex-wrap gap-x-3 text-[13px] text-faint tabular-nums">
        {cache.rebuild_seconds != null && <span title="What installing and building takes without it">{formatDuration(cache.rebuild_seconds * 1000)} to rebuild</span>}
        {cache.last_used_at && (
          <span>
            used <RelativeTime at={cache.last_used_at} />
          </span>
        )}
        <span className="text-ink">{formatBytes(cache.bytes)}</span>
      </span>
    </li>
  );
}

function PruneDialog({ nodeId, open, onOpenChange }: { nodeId: string; open: boolean; onOpenChange: (open: boolean) => void }) {
  const [amount, setAmount] = useState("");
  const problem = megabytesProblem(amount);
  const bytes = megabytes(amount);
  const would = useWouldFree(nodeId, bytes, open && !problem);
  const prune = usePrune(nodeId);
  const freed = problem ? [] : (would.data?.freed ?? []);

  function change(next: boolean) {
    onOpenChange(next);
    setAmount("");
    prune.reset();
  }

  const failure = prune.error ?? would.error;
  return (
    <Confirm
      open={open}
      onOpenChange={change}
      title="Remove build caches?"
      description="Projects go on running. The next build of each takes as long as a first one. What a build works with now stays."
      confirm={freed.length > 0 ? `Free ${formatBytes(would.data?.bytes ?? 0)}` : "Free"}
      testId="prune-confirm"
      danger
      busy={prune.isPending}
      allowed={freed.length > 0}
      error={failure ? messageOf(failure) : undefined}
      onConfirm={() =>
        prune.mutate(bytes, {
          onSuccess: (pruned) => {
            toast.good(`${formatBytes(pruned.bytes)} freed.`);
            change(false);
          },
        })
      }
    >
      <TextField
        label="Free at least (MB)"
        hint="Empty: everything. Those go first that are old, large and soon made again."
        inputMode="numeric"
        autoComplete="off"
        value={amount}
        onChange={setAmount}
        error={problem}
      />
      <div>
        <h3 className="text-[13px] text-faint">What would be freed</h3>
        <ul data-testid="would-free" className="mt-1 divide-y divide-line">
          {freed.map((cache) => (
            <li key={cache.project_id} className="flex justify-between gap-3 py-1.5 text-[13px]">
              <span className="min-w-0 truncate">{nameOf(cache)}</span>
              <span className="tabular-nums">{formatBytes(cache.bytes)}</span>
            </li>
          ))}
        </ul>
        {freed.length === 0 && <p className="py-1.5 text-[13px] text-soft">{would.isPending && !problem ? "Asking the server…" : "Nothing."}</p>}
      </div>
    </Confirm>
  );
}

function Caches({ list }: { list: BuildCacheList }) {
  if (list.caches.length === 0) return <p className="text-soft">Nothing is kept at the moment.</p>;
  return (
    <>
      <Meter
        label={plural(list.caches.length, "project")}
        percent={percentOf(list.bytes, list.limit_bytes)}
        detail={`${formatBytes(list.bytes)} of ${formatBytes(list.limit_bytes)}`}
      />
      <ul className="mt-2 -mb-2 divide-y divide-line">
        {list.caches.map((cache) => (
          <Row key={cache.project_id} cache={cache} />
        ))}
      </ul>
    </>
  );
}

/** What builds keep for later ones; for administrators. */
export function NodeCaches({ nodeId }: { nodeId: string }) {
  const { data: list, error, refetch } = useCaches(nodeId);
  const [open, setOpen] = useState(false);
  if (error instanceof ApiError && error.status === 403) return null;
  return (
    <Panel
      title="Build caches"
      description="Downloads and compiled dependencies that later builds start with. Beyond the limit, those go by themselves that are old, large and soon made again."
      actions={
        <Button size="sm" icon={Brush} data-testid="prune" disabled={!list || list.would_free.length === 0} onClick={() => setOpen(true)}>
          Free space…
        </Button>
      }
    >
      {list && <Caches list={list} />}
      {!list && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!list && !error && (
        <Loading label="Loading the caches">
          <Skeleton className="h-16" />
        </Loading>
      )}
      <PruneDialog nodeId={nodeId} open={open} onOpenChange={setOpen} />
    </Panel>
  );
}
