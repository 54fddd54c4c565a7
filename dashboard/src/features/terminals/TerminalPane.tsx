import { CircleX, Eye, History, Minimize2 } from "lucide-react";
import { useEffect, useRef, useState, useSyncExternalStore, type RefObject } from "react";

import { useResolvedTheme } from "@/shell/theme";
import { Button, IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";

import { endingOf } from "./ending";
import { LinkStatus } from "./LinkStatus";
import { SearchBar } from "./SearchBar";
import { Session } from "./session";
import { useTerminalSettings } from "./settings";
import { StatusBar } from "./StatusBar";

interface TerminalPaneProps {
  workspaceId: string;
  terminal: { id: string; name: string };
  shown: boolean;
  active: boolean;
  /** Others are shown beside it. */
  framed: boolean;
  watch: boolean;
  finding: boolean;
  searchField: RefObject<HTMLInputElement | null>;
  /** Its place among those shown. */
  order: number;
  onSession: (id: string, session: Session | undefined) => void;
  onActivate: () => void;
  onFinding: (finding: boolean) => void;
  onHide: () => void;
  onChanged: () => void;
  /** A new one in its place, as it has ended. */
  onAgain: () => void;
  onClose: () => void;
  onEarlier: (until: number) => void;
  onWatch: (watch: boolean) => void;
}

/** Connects a terminal for as long as it is mounted, and keeps it as large as its room. */
function useEmulator(session: Session, shown: boolean) {
  const room = useRef<HTMLDivElement>(null);
  const host = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const [outer, inner] = [room.current, host.current];
    if (!outer || !inner) return;
    const fit = () => session.fit(outer.clientWidth, outer.clientHeight);
    const close = session.open(inner, fit);
    const observer = new ResizeObserver(fit);
    observer.observe(outer);
    return () => {
      observer.disconnect();
      close();
    };
  }, [session]);

  useEffect(() => session.setShown(shown), [session, shown]);
  return { room, host };
}

export function TerminalPane(props: TerminalPaneProps) {
  const { workspaceId, terminal, shown, active, framed, watch, finding, order } = props;
  const theme = useResolvedTheme();
  const { fontSize, screenReader } = useTerminalSettings();
  const options = {
    workspaceId,
    terminalId: terminal.id,
    watch,
    look: { theme, fontSize, screenReader },
    onRenamed: props.onChanged,
    onExit: props.onChanged,
    onAgain: props.onAgain,
  };
  const [session] = useState(() => new Session(options));
  const view = useSyncExternalStore(session.subscribe, session.read);
  const { room, host } = useEmulator(session, shown);
  const { id } = terminal;
  const { onSession } = props;

  useEffect(() => {
    onSession(id, session);
    return () => onSession(id, undefined);
  }, [id, onSession, session]);

  useEffect(() => session.configure(options));

  // Another font needs another number of columns.
  useEffect(() => {
    const element = room.current;
    if (shown && element) session.fit(element.clientWidth, element.clientHeight);
  }, [session, room, shown, fontSize]);

  useEffect(() => {
    if (shown && active && !finding && !view.blank) session.focus();
  }, [session, shown, active, finding, view.blank]);

  const letterboxed = view.following !== undefined;
  const extent = letterboxed ? session.extent() : undefined;
  return (
    <section
      aria-label={terminal.name}
      data-testid="terminal"
      data-link={view.link}
      data-active={active || undefined}
      hidden={!shown}
      style={{ order }}
      onFocusCapture={props.onActivate}
      onPointerDownCapture={props.onActivate}
      className={classes("min-w-0 flex-1 flex-col bg-term", shown ? "flex" : "hidden", framed && "not-first:border-l border-line")}
    >
      {framed && (
        <div className={classes("flex h-7 shrink-0 items-center justify-between gap-2 border-b-2 pr-1 pl-3 text-xs", active ? "border-accent text-ink" : "border-line text-faint")}>
          <span className="truncate">{terminal.name}</span>
          <IconButton label={`Take ${terminal.name} out of sight`} icon={Minimize2} onClick={props.onHide} className="size-6! [&_svg]:size-3.5" />
        </div>
      )}
      {finding && <SearchBar field={props.searchField} session={session} results={view.results} onClose={() => props.onFinding(false)} />}
      <div className="relative flex min-h-0 flex-1 flex-col">
        <div ref={room} className={classes("min-h-0 flex-1", letterboxed ? "overflow-auto bg-sunken pb-9" : "overflow-hidden bg-term")}>
          <div ref={host} className={classes("size-full py-px pl-1", letterboxed && "border-r border-b border-line-strong bg-term")} style={extent && { width: extent.width + 4, height: extent.height + 2 }} />
        </div>
        {view.earlier && view.atTop && !view.following && view.link !== "lost" && (
          <Button size="sm" icon={History} onClick={() => props.onEarlier(view.earlier?.until ?? 0)} data-testid="earlier-output" className="absolute top-1.5 right-5 opacity-85 hover:opacity-100">
            Earlier output
          </Button>
        )}
        {/* Laid over it: in a row of their own they would change its size. */}
        <div className="absolute inset-x-0 bottom-0">
          {view.following && !watch && view.link === "open" && (
            <StatusBar icon={Eye}>
              {view.following.columns} × {view.following.rows}, as another viewer has it. Type to take over.
            </StatusBar>
          )}
        </div>
        <LinkStatus
          link={view.link}
          blank={view.blank}
          problem={view.problem}
          connecting="Opening the terminal…"
          lost="The connection is lost. The terminal runs on; trying again…"
          onRetry={() => session.retry()}
        />
      </div>
      {watch && (
        <StatusBar
          icon={Eye}
          actions={
            <Button size="sm" variant="ghost" onClick={() => props.onWatch(false)}>
              Type here
            </Button>
          }
        >
          You only watch.
        </StatusBar>
      )}
      {view.exit && (
        <StatusBar
          icon={CircleX}
          tone={view.exit.code === 0 ? "calm" : "bad"}
          actions={
            <>
              <Button size="sm" variant="ghost" onClick={props.onAgain}>
                New terminal <kbd className="hidden font-sans text-xs opacity-70 sm:inline">Enter</kbd>
              </Button>
              <Button size="sm" variant="ghost" onClick={props.onClose}>
                Close
              </Button>
            </>
          }
        >
          <span data-testid="terminal-exit">It {endingOf(view.exit)}.</span>
        </StatusBar>
      )}
    </section>
  );
}
