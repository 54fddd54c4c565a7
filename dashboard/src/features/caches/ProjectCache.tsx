import { Brush } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import { formatBytes } from "@/format/quantity";
import { formatDuration } from "@/format/time";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Confirm } from "@/ui/Dialog";
import { RelativeTime } from "@/ui/RelativeTime";
import { toast } from "@/ui/toast-store";

import { useClearCache, useProjectCache } from "./queries";

/** What builds of one project keep for later ones. */
export function ProjectCache({ projectId }: { projectId: string }) {
  const { data: cache } = useProjectCache(projectId);
  const clear = useClearCache(projectId);
  const [open, setOpen] = useState(false);
  const empty = !cache || cache.bytes === 0;

  function change(next: boolean) {
    setOpen(next);
    clear.reset();
  }

  return (
    <Panel title="Build cache" description="Downloads and compiled dependencies that the next build starts with. Clear it when a build fails for what an earlier one left.">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="text-soft tabular-nums">
          {empty ? (
            "Nothing is kept."
          ) : (
            <>
              <span className="font-medium text-ink">{formatBytes(cache.bytes)}</span>
              {cache.last_used_at && (
                <>
                  , used <RelativeTime at={cache.last_used_at} />
                </>
              )}
              {cache.rebuild_seconds != null && <>, {formatDuration(cache.rebuild_seconds * 1000)} to make again</>}
              {cache.in_use && ", in use by a build"}
            </>
          )}
        </p>
        <Button icon={Brush} data-testid="clear-cache" disabled={empty || cache.in_use} onClick={() => change(true)}>
          Clear build cache
        </Button>
      </div>
      <Confirm
        open={open}
        onOpenChange={change}
        title="Clear the build cache?"
        description={`Frees ${formatBytes(cache?.bytes ?? 0)}. The app goes on running; its next build takes as long as a first one.`}
        confirm="Clear it"
        testId="clear-cache-confirm"
        busy={clear.isPending}
        error={clear.error ? messageOf(clear.error) : undefined}
        onConfirm={() =>
          clear.mutate(undefined, {
            onSuccess: () => {
              toast.good("The build cache is cleared.");
              change(false);
            },
          })
        }
      />
    </Panel>
  );
}
