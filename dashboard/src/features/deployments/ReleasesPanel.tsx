import { Pin, PinOff, Radio } from "lucide-react";
import { Link } from "react-router";

import type { Release } from "@/api/types";
import { plural } from "@/format/quantity";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { RelativeTime } from "@/ui/RelativeTime";
import { ErrorState } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { usePin, useReleases } from "./queries";

function PinButton({ release }: { release: Release }) {
  const pin = usePin();
  return (
    <Button
      size="sm"
      variant="ghost"
      icon={release.pinned ? PinOff : Pin}
      busy={pin.isPending}
      aria-pressed={release.pinned}
      aria-label={`Keep the release of deployment ${release.number}`}
      data-testid="pin-release"
      onClick={() => pin.mutate({ id: release.id, pinned: !release.pinned }, { onError: toast.error })}
    >
      {release.pinned ? "Unpin" : "Pin"}
    </Button>
  );
}

function Row({ release, projectId }: { release: Release; projectId: string }) {
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2" data-testid="release">
      <Link to={`/projects/${projectId}/deployments/${release.deployment_id}`} className="font-medium tabular-nums hover:underline">
        #{release.number}
      </Link>
      <span className="min-w-0 flex-1 basis-40 truncate text-soft">
        {release.commit ? (
          <>
            {release.commit.message} <code className="font-mono text-xs text-faint">{release.commit.sha.slice(0, 7)}</code>
          </>
        ) : (
          "Uploaded files"
        )}
      </span>
      {release.live && (
        <Badge tone="good" icon={Radio}>
          Live
        </Badge>
      )}
      {release.pinned && (
        <Badge tone="calm" icon={Pin} data-testid="pinned">
          Pinned
        </Badge>
      )}
      <span className="text-[13px] text-faint">
        <RelativeTime at={release.created_at} />
      </span>
      <PinButton release={release} />
    </li>
  );
}

/** What a rollback can choose from, and which of it stays. */
export function ReleasesPanel({ projectId }: { projectId: string }) {
  const { data, error, refetch } = useReleases(projectId);
  if (!data) return error ? <ErrorState error={error} onRetry={() => void refetch()} /> : null;
  if (data.releases.length === 0) return null;
  return (
    <Panel
      className="mt-6"
      title="Releases"
      description={`What a rollback can choose from. The newest ${plural(data.releases_kept, "release")} stay, and those that are live or pinned.`}
    >
      <ul className="divide-y divide-line">
        {data.releases.map((release) => (
          <Row key={release.id} release={release} projectId={projectId} />
        ))}
      </ul>
    </Panel>
  );
}
