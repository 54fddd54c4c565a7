import { useQueryClient } from "@tanstack/react-query";
import { BrainCircuit, MessagesSquare, Plus } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useRef } from "react";

import { keys } from "@/api/keys";
import type { Completion } from "@/api/types";
import { useMe } from "@/features/auth/queries";
import { useMesh } from "@/features/mesh/queries";
import { ButtonLink } from "@/ui/Button";
import { PageTitle } from "@/ui/PageTitle";
import { EmptyState, ErrorState, Loading, Notice, Skeleton } from "@/ui/states";

import { ChatSettings } from "./ChatSettings";
import { Composer } from "./Composer";
import { isUnderWay, parseMaxTokens, type Turn } from "./conversation";
import { chat, useConversation } from "./conversation-store";
import { namesOf, type AskableModel } from "./models";
import { useCompletions, useModels } from "./queries";
import { TurnView } from "./TurnView";

/** Who is this near to the end of the page wants to see what comes. */
const NEAR_PX = 120;

function NoModels() {
  return (
    <EmptyState
      icon={BrainCircuit}
      title="No machine serves a model yet"
      actions={
        <ButtonLink to="/models/machines?new" variant="primary" icon={Plus}>
          Add a machine
        </ButtonLink>
      }
    >
      Add a machine that has models. Once it is approved and connected, they can be asked here.
    </EmptyState>
  );
}

/** Keeps the end of what is written in view, unless the reader has gone up. What answers cost comes after them. */
function useFollow(turns: readonly Turn[], completions: readonly Completion[] | undefined) {
  const follows = useRef(true);
  const shown = useRef(turns);

  useEffect(() => {
    const look = () => {
      follows.current = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - NEAR_PX;
    };
    // Who comes back goes on where it ended; the page before may have left it elsewhere.
    if (shown.current.length > 0) window.scrollTo({ top: document.documentElement.scrollHeight });
    look();
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, []);

  useLayoutEffect(() => {
    if (turns.length > shown.current.length) follows.current = true;
    shown.current = turns;
    if (turns.length > 0 && follows.current) window.scrollTo({ top: document.documentElement.scrollHeight });
  }, [turns, completions]);
}

interface TurnsProps {
  turns: readonly Turn[];
  completions: readonly Completion[] | undefined;
  onRetry: (turn: Turn) => void;
}

function Turns({ turns, completions, onRetry }: TurnsProps) {
  const last = turns.at(-1);
  const retry = useCallback(() => last && onRetry(last), [last, onRetry]);
  return (
    <div role="log" aria-label="Conversation">
      <ul className="flex flex-col gap-6">
        {turns.map((turn) => (
          <TurnView key={turn.id} turn={turn} completion={completions?.find(({ id }) => id === turn.answer.completionId)} onRetry={turn === last && !isUnderWay(turn) ? retry : undefined} />
        ))}
      </ul>
    </div>
  );
}

function NothingSaid() {
  return (
    <div className="m-auto flex max-w-md flex-col items-center gap-2 py-6 text-center text-faint">
      <MessagesSquare aria-hidden className="size-6" />
      <p>Ask a model something. Each answer says what it cost and where it came from.</p>
    </div>
  );
}

function Playground({ userId, models }: { userId: string; models: AskableModel[] }) {
  const client = useQueryClient();
  const { data: mesh } = useMesh();
  const { turns, model: chosen, maxTokens, system, draft } = useConversation(userId);
  const names = namesOf(models);
  const model = chosen || (names[0] ?? "");
  const busy = turns.some(isUnderWay);
  const { data: completions } = useCompletions();
  useFollow(turns, completions);

  const ask = useCallback(
    (question: string) =>
      chat.send(userId, model, question, () => {
        void client.invalidateQueries({ queryKey: keys.completions });
        void client.invalidateQueries({ queryKey: keys.mesh });
      }),
    [client, model, userId],
  );
  const askAgain = useCallback(
    (turn: Turn) => {
      chat.forget(turn.id);
      ask(turn.question);
    },
    [ask],
  );

  return (
    <div className="flex min-h-[calc(100dvh-23.5rem)] flex-col gap-5 md:min-h-[calc(100dvh-14rem)]">
      <ChatSettings
        models={names}
        model={model}
        hostedBy={models.find(({ name }) => name === model)?.hostedBy}
        maxTokens={maxTokens}
        system={system}
        onChange={(settings) => chat.change(userId, settings)}
        onClear={turns.length > 0 ? chat.clear : undefined}
      />
      {mesh && mesh.balance <= 0 && (
        <Notice tone="warn">You have no credits. An administrator can grant you some, and a machine of yours can earn them.</Notice>
      )}
      <div className="flex flex-1 flex-col">
        {turns.length > 0 ? (
          <Turns turns={turns} completions={completions} onRetry={askAgain} />
        ) : (
          <NothingSaid />
        )}
      </div>
      {/* Above the bar of phones; nothing shows through below it. */}
      <div className="sticky bottom-[calc(3.5rem+env(safe-area-inset-bottom))] -mb-10 bg-page pb-2 md:bottom-0">
        <Composer
          value={draft}
          onChange={(value) => chat.change(userId, { draft: value })}
          onSend={() => {
            chat.change(userId, { draft: "" });
            ask(draft.trim());
          }}
          onStop={chat.stop}
          busy={busy}
          ready={names.includes(model) && parseMaxTokens(maxTokens) !== undefined}
        />
      </div>
    </div>
  );
}

/** Where models are asked. */
export default function PlaygroundTab() {
  const { data: me } = useMe();
  const { data: models, error, refetch } = useModels();
  const { turns } = useConversation(me?.id ?? "");
  if (!me || !models) {
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the models">
        <Skeleton className="h-56 rounded-xl" />
      </Loading>
    );
  }
  return (
    <>
      <PageTitle>Models</PageTitle>
      {models.length === 0 && turns.length === 0 ? <NoModels /> : <Playground userId={me.id} models={models} />}
    </>
  );
}
