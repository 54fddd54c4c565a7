import { CircleX, LoaderCircle, Unlink } from "lucide-react";
import { useId, useState, type ReactNode } from "react";
import { useLocation } from "react-router";

import { ApiError } from "@/api/error";
import { Logo } from "@/shell/Logo";
import { PageTitle } from "@/ui/PageTitle";
import { EmptyState, ErrorState } from "@/ui/states";

import { useSharedTerminal } from "./queries";
import { WatchedTerminal } from "./WatchedTerminal";

function Message({ children }: { children: ReactNode }) {
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-lg flex-col justify-center gap-6 px-4 py-10">
      <Logo className="self-center" />
      {children}
    </main>
  );
}

function NotGood() {
  return (
    <Message>
      <PageTitle>Link not good</PageTitle>
      <EmptyState icon={Unlink} title="This link is not good any more">
        <p data-testid="link-not-good">Ask who sent it for another one.</p>
      </EmptyState>
    </Message>
  );
}

function Gone() {
  return (
    <Message>
      <PageTitle>Terminal gone</PageTitle>
      <EmptyState icon={CircleX} title="This terminal is gone">
        <p data-testid="terminal-gone">It was closed, and what it showed is not kept.</p>
      </EmptyState>
    </Message>
  );
}

function Watch({ secret }: { secret: string }) {
  const visit = useId();
  const { data: shared, error, refetch } = useSharedTerminal(secret, visit);
  const [check] = useState(() => () => void refetch());
  const status = error instanceof ApiError ? error.status : undefined;

  if (secret === "" || status === 401) return <NotGood />;
  if (status === 404) return <Gone />;
  if (shared) return <WatchedTerminal secret={secret} shared={shared} onLost={check} />;
  if (error) {
    return (
      <Message>
        <PageTitle>Terminal</PageTitle>
        <ErrorState error={error} title="The terminal cannot be shown now" onRetry={() => void refetch()} />
      </Message>
    );
  }
  return (
    <p role="status" className="grid h-dvh place-items-center text-faint">
      <PageTitle>Terminal</PageTitle>
      <span className="flex items-center gap-2">
        <LoaderCircle aria-hidden className="size-4 animate-spin" /> Connecting…
      </span>
    </p>
  );
}

/** A terminal that somebody shared by a link. The link's secret is the fragment, which browsers do not send. */
export default function WatchPage() {
  const secret = useLocation().hash.slice(1);
  return <Watch key={secret} secret={secret} />;
}
