import { Bell, Plus } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";

import { asSentence } from "@/api/error";
import type { NotificationChannel, NotificationKind } from "@/api/types";
import { plural } from "@/format/quantity";
import { Chip } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { AddChannelDialog } from "./ChannelDialog";
import { DeliveryBadge } from "./DeliveryBadge";
import { useChannels } from "./queries";
import { TestButton, useChannelTest } from "./TestChannel";
import { events, kinds, kindWords, targetOf } from "./words";

function summaryOf({ events: told, project_ids }: NotificationChannel): string {
  const what = told.length === events.length ? "everything" : plural(told.length, "event");
  return `${what} · ${project_ids.length === 0 ? "all projects" : plural(project_ids.length, "project")}`;
}

function LastDelivery({ channel: { latest_delivery } }: { channel: NotificationChannel }) {
  if (!latest_delivery) return <p className="text-[13px] text-faint">Nothing was told yet.</p>;
  return (
    <div className="min-w-0 text-[13px]">
      <p className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
        <DeliveryBadge delivery={latest_delivery} />
        <span className="min-w-0 truncate text-soft">{latest_delivery.subject}</span>
        <RelativeTime at={latest_delivery.created_at} className="text-faint" />
      </p>
      {latest_delivery.state !== "delivered" && latest_delivery.last_error && <p className="mt-1 wrap-anywhere text-faint">{asSentence(latest_delivery.last_error)}</p>}
    </div>
  );
}

function ChannelCard({ channel }: { channel: NotificationChannel }) {
  const { word, icon: Icon } = kindWords[channel.kind];
  const test = useChannelTest(channel.id);
  return (
    <article data-testid="channel" className="relative flex flex-col gap-3 rounded-xl border border-line bg-surface p-4 shadow-card transition-colors hover:border-line-strong sm:p-5">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h2 className="flex flex-wrap items-center gap-2 text-[15px] font-semibold">
            <Icon aria-label={word} className="size-4 text-faint" />
            <Link to={`/notifications/${channel.id}`} className="min-w-0 truncate before:absolute before:inset-0 before:rounded-xl">
              {channel.name}
            </Link>
            {!channel.enabled && <Chip>switched off</Chip>}
          </h2>
          <p className="mt-1 truncate text-[13px] text-faint">
            {targetOf(channel)} · {summaryOf(channel)}
          </p>
        </div>
        <div className="relative">
          <TestButton test={test} size="sm" />
        </div>
      </div>
      {test.outcome}
      {channel.disabled_reason && <p className="text-[13px] text-warn">{asSentence(channel.disabled_reason)}</p>}
      <LastDelivery channel={channel} />
    </article>
  );
}

export default function NotificationsPage() {
  const { data: channels, error, refetch } = useChannels();
  const [adding, setAdding] = useState(false);
  const [kind, setKind] = useState<NotificationKind>("slack");

  function add(chosen: NotificationKind) {
    setKind(chosen);
    setAdding(true);
  }

  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Notifications</PageTitle>
      <PageHeader
        title="Notifications"
        subtitle="Who is told when something happens, and how."
        actions={
          <Button variant="primary" icon={Plus} onClick={() => add("slack")} data-testid="add-channel">
            Add channel
          </Button>
        }
      />
      {!channels && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!channels && !error && (
        <Loading label="Loading channels" className="grid gap-3 xl:grid-cols-2">
          <Skeleton className="h-32 rounded-xl" />
          <Skeleton className="h-32 rounded-xl" />
        </Loading>
      )}
      {channels?.length === 0 && (
        <EmptyState
          icon={Bell}
          title="Nobody is told of anything yet"
          actions={kinds.map((each) => (
            <Button key={each} icon={kindWords[each].icon} onClick={() => add(each)}>
              {kindWords[each].word}
            </Button>
          ))}
        >
          Choose how you want to hear of a deployment that failed, an app that crashes or a disk that is nearly full.
        </EmptyState>
      )}
      {channels && channels.length > 0 && (
        <div className="grid items-start gap-3 xl:grid-cols-2">
          {channels.map((channel) => (
            <ChannelCard key={channel.id} channel={channel} />
          ))}
        </div>
      )}
      <AddChannelDialog open={adding} onOpenChange={setAdding} kind={kind} />
    </div>
  );
}
