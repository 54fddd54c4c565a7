import { Pencil, Power, Trash2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { ApiError, asSentence, messageOf } from "@/api/error";
import type { NotificationChannel } from "@/api/types";
import { useProjects } from "@/features/projects/queries";
import { NotFound } from "@/shell/NotFound";
import { Chip } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Confirm } from "@/ui/Dialog";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { ErrorState, Loading, Notice, Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { EditChannelDialog } from "./ChannelDialog";
import { Deliveries } from "./Deliveries";
import { useChannel, useDeleteChannel, useUpdateChannel } from "./queries";
import { TestButton, useChannelTest } from "./TestChannel";
import { eventWords, kindWords } from "./words";

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="grid gap-x-4 py-2 sm:grid-cols-[9rem_minmax(0,1fr)]">
      <dt className="text-[13px] text-faint">{name}</dt>
      <dd className="min-w-0 wrap-anywhere">{children}</dd>
    </div>
  );
}

function ProjectNames({ ids }: { ids: readonly string[] }) {
  const { data: projects = [] } = useProjects();
  if (ids.length === 0) return "all";
  return ids.map((id, index) => {
    const name = projects.find((project) => project.id === id)?.name;
    return (
      <span key={id}>
        {index > 0 && ", "}
        {name ? (
          <Link to={`/projects/${id}`} className="rounded hover:underline">
            {name}
          </Link>
        ) : (
          "one that was removed"
        )}
      </span>
    );
  });
}

const encryptionWords = { starttls: "STARTTLS", implicit: "TLS from the start", none: "not encrypted" };

function Details({ channel }: { channel: NotificationChannel }) {
  const { settings } = channel;
  return (
    <Panel title="Settings">
      <dl className="-my-2 divide-y divide-line">
        {settings.url_host && <Row name="Posts to">{settings.url_host}</Row>}
        {settings.has_secret != null && <Row name="Signed">{settings.has_secret ? "yes, with a secret" : "no"}</Row>}
        {settings.host && (
          <Row name="Mail server">
            {settings.host}:{settings.port}, {encryptionWords[settings.tls ?? "starttls"]}
            {settings.username && `, as ${settings.username}`}
          </Row>
        )}
        {settings.from && <Row name="From">{settings.from}</Row>}
        {settings.to && <Row name="To">{settings.to.join(", ")}</Row>}
        <Row name="Tells when">
          <ul>
            {channel.events.map((event) => (
              <li key={event}>{eventWords[event]}</li>
            ))}
          </ul>
        </Row>
        <Row name="Projects">
          <ProjectNames ids={channel.project_ids} />
        </Row>
      </dl>
    </Panel>
  );
}

function RemoveButton({ channel }: { channel: NotificationChannel }) {
  const [open, setOpen] = useState(false);
  const remove = useDeleteChannel(channel.id);
  const navigate = useNavigate();
  return (
    <>
      <Button icon={Trash2} onClick={() => setOpen(true)} data-testid="remove-channel">
        Remove
      </Button>
      <Confirm
        open={open}
        onOpenChange={(next) => {
          remove.reset();
          setOpen(next);
        }}
        title={`Remove ${channel.name}?`}
        description="It tells nothing any more, and what it told is forgotten."
        confirm="Remove"
        testId="remove-confirm"
        danger
        busy={remove.isPending}
        error={remove.error ? messageOf(remove.error) : undefined}
        onConfirm={() =>
          remove.mutate(undefined, {
            onSuccess: () => {
              toast.good(`${channel.name} is removed.`);
              void navigate("/notifications");
            },
          })
        }
      />
    </>
  );
}

function Channel({ channel }: { channel: NotificationChannel }) {
  const [editing, setEditing] = useState(false);
  const update = useUpdateChannel(channel.id);
  const test = useChannelTest(channel.id);
  const toggle = () => update.mutate({ enabled: !channel.enabled }, { onError: toast.error });
  const switchButton = (
    <Button size={channel.enabled ? undefined : "sm"} icon={Power} busy={update.isPending} onClick={toggle} data-testid="switch-channel">
      {channel.enabled ? "Switch off" : "Switch on"}
    </Button>
  );
  return (
    <>
      <PageTitle>{channel.name}</PageTitle>
      <PageHeader
        crumbs={[{ label: "Notifications", to: "/notifications" }]}
        title={
          <>
            {channel.name} <Chip>{kindWords[channel.kind].word}</Chip>
          </>
        }
        actions={
          <>
            <TestButton test={test} />
            <Button icon={Pencil} onClick={() => setEditing(true)} data-testid="edit-channel">
              Change
            </Button>
            {channel.enabled && switchButton}
            <RemoveButton channel={channel} />
          </>
        }
      />
      {test.outcome}
      {!channel.enabled && (
        <Notice tone="warn" action={switchButton}>
          {`It is switched off and tells nothing. ${channel.disabled_reason ? asSentence(channel.disabled_reason) : ""}`}
        </Notice>
      )}
      <Details channel={channel} />
      <Deliveries channel={channel} />
      <EditChannelDialog key={channel.updated_at} channel={channel} open={editing} onOpenChange={setEditing} />
    </>
  );
}

export default function ChannelPage() {
  const { id = "" } = useParams();
  const { data: channel, error, refetch } = useChannel(id);
  if (error instanceof ApiError && error.status === 404) return <NotFound what="notification channel" />;
  return (
    <div className="flex flex-col gap-5">
      {channel && <Channel channel={channel} />}
      {!channel && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!channel && !error && (
        <Loading label="Loading the channel" className="flex flex-col gap-3">
          <Skeleton className="h-8 w-52" />
          <Skeleton className="h-40 rounded-xl" />
        </Loading>
      )}
    </div>
  );
}
