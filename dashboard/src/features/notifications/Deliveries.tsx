import { RotateCw } from "lucide-react";
import { Link } from "react-router";

import { asSentence, messageOf } from "@/api/error";
import type { NotificationChannel, NotificationDelivery } from "@/api/types";
import { plural } from "@/format/quantity";
import { useNow } from "@/live/now";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Prose } from "@/ui/Prose";
import { RelativeTime } from "@/ui/RelativeTime";
import { Loading, Notice, Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { DeliveryBadge } from "./DeliveryBadge";
import { useDeliveries, useRetryDelivery } from "./queries";

function RetryButton({ delivery }: { delivery: NotificationDelivery }) {
  const retry = useRetryDelivery();
  const label = delivery.state === "pending" ? "Try now" : "Try again";
  return (
    <Button size="sm" icon={RotateCw} busy={retry.isPending} aria-label={`${label}: ${delivery.subject}`} onClick={() => retry.mutate(delivery.id, { onError: toast.error })} data-testid="retry-delivery">
      {label}
    </Button>
  );
}

/** "in 4 min", so that nobody waits for it. */
function NextAttempt({ at }: { at: string }) {
  const seconds = Math.max(0, Math.round((Date.parse(at) - useNow()) / 1000));
  const words = seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
  return <> · next in {words}</>;
}

function Subject({ delivery }: { delivery: NotificationDelivery }) {
  if (!delivery.deployment_id || !delivery.project_id) return <span className="font-medium">{delivery.subject}</span>;
  return (
    <Link to={`/projects/${delivery.project_id}/deployments/${delivery.deployment_id}`} className="rounded font-medium hover:underline">
      {delivery.subject}
    </Link>
  );
}

function Row({ delivery, channel }: { delivery: NotificationDelivery; channel: NotificationChannel }) {
  const tried = delivery.last_error != null;
  const waits = delivery.state === "pending" && tried;
  const canRetry = channel.enabled && (waits || delivery.state === "failed" || delivery.state === "abandoned");
  return (
    <li data-testid="delivery" className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 py-3">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <DeliveryBadge delivery={delivery} />
          <Subject delivery={delivery} />
        </p>
        <p className="mt-1 text-[13px] text-faint">
          <RelativeTime at={delivery.created_at} />
          {delivery.attempts > 1 && ` · ${plural(delivery.attempts, "attempt")}`}
          {waits && delivery.next_attempt_at && <NextAttempt at={delivery.next_attempt_at} />}
        </p>
        {delivery.state !== "delivered" && delivery.last_error && (
          <p className="mt-1 text-[13px] wrap-anywhere text-soft">
            <Prose>{asSentence(delivery.last_error)}</Prose>
          </p>
        )}
      </div>
      {canRetry && <RetryButton delivery={delivery} />}
    </li>
  );
}

/** What a channel told or tries to tell. */
export function Deliveries({ channel }: { channel: NotificationChannel }) {
  const { data: deliveries, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useDeliveries(channel.id);
  return (
    <Panel title="Deliveries" description="Kept for 30 days. What does not get through is tried again, up to eight times within about six hours.">
      {!deliveries && error && (
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
      {!deliveries && !error && (
        <Loading label="Loading deliveries">
          <Skeleton className="h-12" />
        </Loading>
      )}
      {deliveries?.length === 0 && <p className="py-2 text-faint">Nothing was told yet. The next time something happens that it tells of, it shows up here.</p>}
      {deliveries && deliveries.length > 0 && (
        <ul className="-my-3 divide-y divide-line">
          {deliveries.map((delivery) => (
            <Row key={delivery.id} delivery={delivery} channel={channel} />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <Button className="mx-auto mt-4 flex" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Older deliveries
        </Button>
      )}
    </Panel>
  );
}
