import { CircleX, Eye, ZoomIn, ZoomOut } from "lucide-react";
import { useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from "react";

import type { SharedTerminal } from "@/api/types";
import { endingOf } from "@/features/terminals/ending";
import { LinkStatus } from "@/features/terminals/LinkStatus";
import { StatusBar } from "@/features/terminals/StatusBar";
import { formatAbsolute, formatLeft } from "@/format/time";
import { useNow } from "@/live/now";
import { useResolvedTheme } from "@/shell/theme";
import { IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { PageTitle } from "@/ui/PageTitle";

import { Watching } from "./watching";

function Header({ shared, name, children }: { shared: SharedTerminal; name: string; children: ReactNode }) {
  const now = useNow("slow");
  const until = Date.parse(shared.expires_at);
  return (
    <header className="flex h-11 shrink-0 items-center gap-3 border-b border-line bg-surface px-3 sm:px-4">
      <h1 className="flex min-w-0 items-baseline gap-2 font-semibold" title={`${name} in ${shared.workspace_name}`}>
        <span className="truncate">{name}</span>
        <span className="truncate text-[13px] font-normal text-faint">{shared.workspace_name}</span>
      </h1>
      <span className="ml-auto inline-flex shrink-0 items-center gap-1.5 rounded-full bg-accent-wash px-2.5 py-0.5 text-xs font-medium text-accent-ink" title="You see what is done here, and type nothing.">
        <Eye aria-hidden className="size-3.5" /> Watching
      </span>
      <time dateTime={shared.expires_at} title={formatAbsolute(until)} className="shrink-0 text-[13px] text-faint">
        <span className="max-sm:sr-only">expires in </span>
        {formatLeft(until, now)}
        <span className="sm:hidden"> left</span>
      </time>
      {children}
    </header>
  );
}

/** Shows it for as long as it is mounted. Why it was lost is for the one to find out who can ask. */
export function WatchedTerminal({ secret, shared, onLost }: { secret: string; shared: SharedTerminal; onLost: () => void }) {
  const theme = useResolvedTheme();
  const [watching] = useState(() => new Watching(secret, { theme, fontSize: 13, screenReader: false }));
  const view = useSyncExternalStore(watching.subscribe, watching.read);
  const room = useRef<HTMLDivElement>(null);
  const host = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const [outer, inner] = [room.current, host.current];
    if (!outer || !inner) return;
    const close = watching.open(inner);
    const observer = new ResizeObserver(() => watching.fit({ width: outer.clientWidth, height: outer.clientHeight }));
    observer.observe(outer);
    return () => {
      observer.disconnect();
      close();
    };
  }, [watching]);

  useEffect(() => watching.setTheme(theme), [watching, theme]);

  useEffect(() => {
    if (view.link === "lost" || view.exit) onLost();
  }, [view.link, view.exit, onLost]);

  const name = view.name ?? shared.terminal_name;
  return (
    <div data-fill className="flex h-dvh flex-col bg-term">
      <PageTitle>{`${name} · ${shared.workspace_name}`}</PageTitle>
      <Header shared={shared} name={name}>
        {view.isSmall && (
          <IconButton
            label={view.isReadable ? "Show all of it" : "Larger text"}
            icon={view.isReadable ? ZoomOut : ZoomIn}
            onClick={() => watching.setReadable(!view.isReadable)}
            className="size-7!"
            data-testid="readable"
          />
        )}
      </Header>
      <main data-testid="watched" data-link={view.link} aria-label={name} className="relative flex min-h-0 flex-1 flex-col p-1.5">
        <div ref={room} className={classes("min-h-0 flex-1", view.extent ? "overflow-auto" : "overflow-hidden")}>
          <div ref={host} className="size-full overflow-hidden" style={view.extent} />
        </div>
        <LinkStatus
          link={view.link}
          blank={view.blank}
          problem={view.problem}
          connecting="Connecting…"
          lost="The connection is lost. It comes back by itself…"
          onRetry={() => watching.retry()}
        />
        <div className="absolute inset-x-0 bottom-0">
          {view.exit && (
            <StatusBar icon={CircleX} tone={view.exit.code === 0 ? "calm" : "bad"}>
              <span data-testid="terminal-exit">It {endingOf(view.exit)}.</span>
            </StatusBar>
          )}
        </div>
      </main>
    </div>
  );
}
