import { ArrowUpToLine } from "lucide-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useLayoutEffect, useRef } from "react";

import { messageOf } from "@/api/error";
import type { TerminalMatch } from "@/api/types";
import { formatBytes } from "@/format/quantity";
import { Button } from "@/ui/Button";
import { CopyButton } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Notice, Skeleton } from "@/ui/states";

import { joined, outputText, splitAtMatch } from "./output-text";
import { readOutput } from "./queries";

const preClass = "max-h-[55vh] min-h-40 overflow-auto rounded-lg border border-line bg-term p-3 font-mono text-[12.5px] leading-5 wrap-anywhere whitespace-pre-wrap";

function showEnd(element: HTMLElement | null) {
  if (element) element.scrollTop = element.scrollHeight;
}

/** What a terminal shows as text: to be selected with a finger, for example. */
export function ScreenText({ name, text, onClose, onClosed }: { name: string; text: string; onClose: () => void; onClosed: () => void }) {
  return (
    <Dialog open wide onOpenChange={(open) => !open && onClose()} onClosed={onClosed} title={`${name} as text`}>
      <div className="flex flex-col gap-3">
        <pre ref={showEnd} tabIndex={0} aria-label="Text of the terminal" className={preClass}>
          {text || "There is nothing on it."}
        </pre>
        <div>
          <CopyButton labelled label="Copy all" text={text} />
        </div>
      </div>
    </Dialog>
  );
}

const PIECE_BYTES = 128 * 1024;

interface EarlierOutputProps {
  workspaceId: string;
  terminal: { id: string; name: string };
  /** Output before this offset. */
  until: number;
  /** A line of it that is to be in view, instead of the end. */
  found?: Pick<TerminalMatch, "offset" | "line">;
  onClose: () => void;
  onClosed?: () => void;
}

/** Reads a terminal's output backwards, piece by piece. */
export function EarlierOutput({ workspaceId, terminal, until, found, onClose, onClosed }: EarlierOutputProps) {
  const pre = useRef<HTMLPreElement>(null);
  const mark = useRef<HTMLElement>(null);
  const before = useRef(0);
  const pieces = useInfiniteQuery({
    queryKey: ["terminal-output", workspaceId, terminal.id, String(until)],
    initialPageParam: until,
    queryFn: async ({ pageParam }) => {
      const asked = Math.max(0, pageParam - PIECE_BYTES);
      const { from, bytes } = await readOutput(workspaceId, terminal.id, asked, pageParam - asked);
      // What is not kept any more is left out, and what comes after is sent instead.
      return { from, isFirst: from > asked || from === 0, bytes: bytes.subarray(0, Math.max(0, pageParam - from)) };
    },
    getNextPageParam: ({ from, isFirst }) => (isFirst ? undefined : from),
    select: ({ pages }) => {
      const all = joined(pages.map((page) => page.bytes).reverse());
      const pieces = found ? splitAtMatch(all, found.offset - (pages[pages.length - 1]?.from ?? 0), found.line) : [outputText(all)];
      return { pieces, text: pieces.join(""), size: all.length };
    },
    staleTime: Infinity,
    gcTime: 0,
  });
  const { data, error, hasNextPage, isFetching, fetchNextPage } = pieces;

  // What is being read stays where it was.
  useLayoutEffect(() => {
    const element = pre.current;
    if (!element) return;
    if (before.current === 0 && mark.current) mark.current.scrollIntoView({ block: "center" });
    else element.scrollTop += element.scrollHeight - before.current;
    before.current = element.scrollHeight;
  }, [data]);

  return (
    <Dialog open wide onOpenChange={(open) => !open && onClose()} onClosed={onClosed} title={`Output of ${terminal.name}`} description="As text, without colours and cursor movements.">
      <div className="flex flex-col gap-3">
        <div className="flex items-center justify-between gap-3">
          <Button size="sm" variant="ghost" icon={ArrowUpToLine} busy={isFetching} disabled={!hasNextPage} onClick={() => void fetchNextPage()}>
            {data && !hasNextPage ? "All that is kept" : "Load earlier output"}
          </Button>
          {data && <span className="text-xs text-faint tabular-nums">{formatBytes(data.size)}</span>}
        </div>
        {error && <Notice tone="bad">{messageOf(error)}</Notice>}
        {!data && !error && <Skeleton className="h-64" />}
        {data && (
          <>
            <pre ref={pre} tabIndex={0} aria-label="Output" data-testid="output-text" className={preClass}>
              {data.text ? data.pieces.map((piece, index) => (index === 1 ? <mark key={index} ref={mark}>{piece}</mark> : piece)) : "Nothing is kept of that."}
            </pre>
            <div>
              <CopyButton labelled label="Copy all" text={data.text} />
            </div>
          </>
        )}
      </div>
    </Dialog>
  );
}
