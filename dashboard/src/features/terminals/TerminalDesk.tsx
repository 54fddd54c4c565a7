import { Columns2, Plus, Search, SquareTerminal } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

import type { Terminal, TerminalMatch } from "@/api/types";
import { Button, IconButton } from "@/ui/Button";
import { copyText } from "@/ui/clipboard";
import { EmptyState } from "@/ui/states";
import { toast } from "@/ui/toast-store";
import { useWide } from "@/ui/use-wide";

import { CloseDialog } from "./CloseDialog";
import { HelpDialog } from "./HelpDialog";
import { HistoryDialog } from "./HistoryDialog";
import { KeyRow } from "./KeyRow";
import { LatencyMeter } from "./LatencyMeter";
import { shortcutOf, type Shortcut } from "./keys";
import { hide, neighbour, reconcile, show, showBeside } from "./layout";
import { useCloseTerminal, useCreateTerminal, useRenameTerminal } from "./queries";
import type { Session } from "./session";
import { ShareDialog } from "./ShareDialog";
import { TerminalMenu } from "./TerminalMenu";
import { TerminalPane } from "./TerminalPane";
import { TerminalTabs } from "./TerminalTabs";
import { EarlierOutput, ScreenText } from "./TextDialog";
import { useLayout } from "./use-layout";

type Over = { kind: "help" } | { kind: "history" } | { kind: "text"; name: string; text: string } | { kind: "earlier"; terminal: { id: string; name: string }; until: number; found?: TerminalMatch } | { kind: "close" | "share"; terminal: Terminal };

interface TerminalDeskProps {
  workspaceId: string;
  terminals: readonly Terminal[];
  /** One that is asked for by the page's address. */
  wanted?: string;
  onWantedShown: () => void;
  /** One that was opened with the page. */
  first?: string;
  onChanged: () => void;
}

/** The sessions of what is mounted, by terminal. */
function useSessions() {
  const [sessions, setSessions] = useState<ReadonlyMap<string, Session>>(new Map());
  const register = useCallback((id: string, session: Session | undefined) => {
    setSessions((before) => {
      const after = new Map(before);
      if (session) after.set(id, session);
      else after.delete(id);
      return after;
    });
  }, []);
  return [sessions, register] as const;
}

function SessionKeys({ session, onCopy }: { session: Session; onCopy: () => void }) {
  const { modifiers } = useSyncExternalStore(session.subscribe, session.read);
  return (
    <KeyRow
      modifiers={modifiers}
      onModifiers={(next) => session.setModifiers(next)}
      applicationCursor={() => session.applicationCursor}
      onType={(text) => session.type(text)}
      onCopy={onCopy}
      onPaste={() => void pasteInto(session)}
    />
  );
}

type DeskShortcut = Exclude<Shortcut, "paste">;

/** Wherever the focus is on the page, unless something lies over it. */
function useShortcuts(act: (shortcut: DeskShortcut) => void) {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      const shortcut = shortcutOf(event);
      // The browser pastes by itself, and the emulator takes it.
      if (!shortcut || shortcut === "paste" || document.querySelector("[role=dialog], [role=alertdialog]")) return;
      event.preventDefault();
      latest.current(shortcut);
    }
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

async function pasteInto(session: Session) {
  try {
    session.paste(await navigator.clipboard.readText());
  } catch {
    toast.bad("Your browser did not let us paste. Hold your finger on the terminal, or press Ctrl Shift V.");
  }
}

/** All terminals of a workspace: tabs, and those shown side by side. What was shown once stays connected. */
export function TerminalDesk({ workspaceId, terminals, wanted, onWantedShown, first, onChanged }: TerminalDeskProps) {
  const wide = useWide();
  const [kept, change] = useLayout(workspaceId);
  const ids = useMemo(() => terminals.map((terminal) => terminal.id), [terminals]);
  const layout = reconcile(kept, ids);
  const { panes, active } = layout;
  const visible = wide ? panes : panes.filter((id) => id === active);
  const [opened, setOpened] = useState<readonly string[]>([]);
  const [sessions, register] = useSessions();
  const [finding, setFinding] = useState<string>();
  const searchField = useRef<HTMLInputElement>(null);
  const [watched, setWatched] = useState<readonly string[]>([]);
  const [over, setOver] = useState<Over>();
  const create = useCreateTerminal(workspaceId);
  const rename = useRenameTerminal(workspaceId);
  const close = useCloseTerminal(workspaceId);
  const session = active === undefined ? undefined : sessions.get(active);
  const current = terminals.find((terminal) => terminal.id === active);
  const done = () => setOver(undefined);
  const focus = () => {
    if (finding !== active) session?.focus();
  };

  const missing = visible.filter((id) => !opened.includes(id));
  if (missing.length > 0) setOpened([...opened, ...missing]);

  const begun = useRef(false);
  useEffect(() => {
    // What was opened with the page is shown once, and not where another one was asked for.
    const next = [wanted, begun.current ? undefined : first].find((id) => id !== undefined && ids.includes(id));
    if (next === undefined) return;
    begun.current = true;
    change((before) => show(reconcile(before, ids), next));
    if (next === wanted) onWantedShown();
  }, [wanted, onWantedShown, first, ids, change]);

  function open(place: typeof show, replaced?: string) {
    if (create.isPending) return;
    create.mutate(
      {},
      {
        onSuccess: ({ id }) => {
          change((before) => place(replaced ? { ...reconcile(before, ids), active: replaced } : reconcile(before, ids), id));
          if (replaced) close.mutate(replaced, { onError: toast.error });
        },
        onError: toast.error,
      },
    );
  }

  function activate(id: string | undefined) {
    if (id !== undefined && id !== active) change((before) => show(reconcile(before, ids), id));
  }

  function askToClose(terminal: Terminal) {
    if (terminal.is_running) setOver({ kind: "close", terminal });
    else close.mutate(terminal.id, { onError: toast.error });
  }

  function copy() {
    const text = session?.selection() ?? "";
    if (text) void copyText(text).then((copied) => (copied ? session?.focus() : toast.bad("Your browser did not let us copy.")));
    // A finger selects nothing in a terminal.
    else if (session && current) setOver({ kind: "text", name: current.name, text: session.text() });
  }

  const actions: Record<DeskShortcut, () => void> = {
    new: () => open(show),
    split: () => open(showBeside),
    previous: () => activate(neighbour(ids, active, -1)),
    next: () => activate(neighbour(ids, active, 1)),
    pane: () => activate(neighbour(panes, active, 1)),
    find: () => {
      if (finding === active) searchField.current?.focus();
      else setFinding(active);
    },
    history: () => setOver({ kind: "history" }),
    copy: () => {
      if (session?.selection()) copy();
    },
    help: () => setOver({ kind: "help" }),
  };

  useShortcuts((shortcut) => actions[shortcut]());

  function setWatch(id: string, watch: boolean) {
    setWatched((before) => (watch ? [...before, id] : before.filter((each) => each !== id)));
  }

  function lookAt(match: TerminalMatch) {
    // With what came after it.
    setOver({ kind: "earlier", terminal: { id: match.terminal_id, name: match.terminal_name }, until: match.offset + 16 * 1024, found: match });
  }

  return (
    <div className="flex min-h-0 flex-1 flex-col" data-testid="desk">
      <div className="flex shrink-0 items-end gap-1 border-b border-line bg-sunken pt-1.5 pr-2 pl-2">
        <TerminalTabs
          terminals={terminals}
          panes={visible}
          active={active}
          onShow={activate}
          onRename={(id, name) => rename.mutate({ id, name }, { onError: toast.error })}
          onClose={askToClose}
        />
        <div className="flex h-8 items-center">
          <IconButton label="New terminal" icon={Plus} busy={create.isPending} className="size-7!" data-testid="new-terminal" onClick={() => open(show)} />
        </div>
        <div className="ml-auto flex h-8 shrink-0 items-center gap-0.5">
          {session && <LatencyMeter session={session} />}
          <span className="hidden gap-0.5 md:flex">
            <IconButton label="New terminal beside" icon={Columns2} className="size-7!" disabled={terminals.length === 0} onClick={() => open(showBeside)} data-testid="split-terminal" />
            <IconButton label="Search here" icon={Search} className="size-7!" disabled={!session} onClick={() => setFinding(finding === active ? undefined : active)} />
          </span>
          <TerminalMenu
            disabled={!session || !current}
            watch={active !== undefined && watched.includes(active)}
            onWatch={(watch) => active && setWatch(active, watch)}
            onSplit={actions.split}
            onFind={actions.find}
            onHistory={actions.history}
            onText={() => session && current && setOver({ kind: "text", name: current.name, text: session.text() })}
            onEarlier={() => current && setOver({ kind: "earlier", terminal: current, until: current.output_bytes })}
            onShare={() => current && setOver({ kind: "share", terminal: current })}
            onHelp={actions.help}
            onClosed={focus}
          />
        </div>
      </div>
      <div className="relative flex min-h-0 flex-1 bg-term">
        {terminals
          .filter(({ id }) => opened.includes(id) || visible.includes(id))
          .map((terminal) => (
            <TerminalPane
              key={terminal.id}
              workspaceId={workspaceId}
              terminal={terminal}
              shown={visible.includes(terminal.id)}
              active={terminal.id === active}
              framed={visible.length > 1}
              watch={watched.includes(terminal.id)}
              finding={finding === terminal.id}
              searchField={searchField}
              order={panes.indexOf(terminal.id)}
              onSession={register}
              onActivate={() => activate(terminal.id)}
              onFinding={(next) => setFinding(next ? terminal.id : undefined)}
              onHide={() => change((before) => hide(reconcile(before, ids), terminal.id))}
              onChanged={onChanged}
              onAgain={() => open(show, terminal.id)}
              onClose={() => close.mutate(terminal.id, { onError: toast.error })}
              onEarlier={(until) => setOver({ kind: "earlier", terminal, until })}
              onWatch={(watch) => setWatch(terminal.id, watch)}
            />
          ))}
        {terminals.length === 0 && (
          <div className="m-auto w-full max-w-md p-4">
            <EmptyState
              icon={SquareTerminal}
              title="No terminal is open"
              actions={
                <Button variant="primary" icon={Plus} busy={create.isPending} onClick={() => open(show)}>
                  New terminal
                </Button>
              }
            >
              A terminal goes on when you close this page, until you close it or stop the workspace.
            </EmptyState>
          </div>
        )}
      </div>
      {session && <SessionKeys session={session} onCopy={copy} />}
      <HelpDialog open={over?.kind === "help"} onOpenChange={(next) => !next && done()} onClosed={focus} />
      <HistoryDialog workspaceId={workspaceId} open={over?.kind === "history"} onOpenChange={(next) => !next && done()} onChoose={lookAt} onClosed={focus} />
      {over?.kind === "text" && <ScreenText name={over.name} text={over.text} onClose={done} onClosed={focus} />}
      {over?.kind === "earlier" && <EarlierOutput workspaceId={workspaceId} terminal={over.terminal} until={over.until} found={over.found} onClose={done} onClosed={focus} />}
      {over?.kind === "share" && <ShareDialog workspaceId={workspaceId} terminal={over.terminal} onDone={done} onClosed={focus} />}
      {over?.kind === "close" && <CloseDialog workspaceId={workspaceId} terminal={over.terminal} onDone={done} onClosed={focus} />}
    </div>
  );
}
