import { ChevronRight, LoaderCircle, RotateCw } from "lucide-react";
import { memo, type ReactNode } from "react";

import type { Completion } from "@/api/types";
import { formatCredits } from "@/format/credits";
import { plural } from "@/format/quantity";
import { Button } from "@/ui/Button";
import { CopyButton } from "@/ui/Copy";
import { Notice } from "@/ui/states";

import { AnswerText } from "./AnswerText";
import { isUnderWay, speedOf, type Answer, type Turn } from "./conversation";
import { WhyHere } from "./WhyHere";
import { formatSeconds, placeOf } from "./words";

function Thoughts({ answer }: { answer: Answer }) {
  if (!answer.reasoning) return null;
  return (
    <details className="group mb-2 text-[13px]" open={answer.text === "" && answer.state === "writing"}>
      <summary className="flex w-fit items-center gap-1.5 rounded text-faint hover:text-ink [&::-webkit-details-marker]:hidden">
        <ChevronRight aria-hidden className="size-4 transition-transform group-open:rotate-90" />
        What it thought before
      </summary>
      <p className="mt-1 border-l-2 border-line pl-3 wrap-anywhere whitespace-pre-wrap text-soft">{answer.reasoning}</p>
    </details>
  );
}

function Cost({ completion }: { completion: Completion }) {
  if (completion.state === "held") return <>cost not settled yet</>;
  return (
    <>
      cost <span data-testid="cost">{formatCredits(completion.cost)}</span> credits
    </>
  );
}

/** Numbers of an answer: what it took and where it came from. */
function Facts({ turn: { model, answer }, completion }: { turn: Turn; completion: Completion | undefined }) {
  const { state, usage, firstMs, completionId } = answer;
  // What the server counted is what is paid.
  const settled = completion !== undefined && completion.state !== "held";
  const tokens = settled ? { input: completion.input_tokens, output: completion.output_tokens } : usage;
  const speed = speedOf(answer);
  const facts: [string, ReactNode][] = [["model", completion?.node_id ? `${model}${placeOf(completion.node_id).behind}` : model]];
  if (tokens) facts.push(["tokens", `${plural(tokens.input, "token")} in, ${tokens.output} out`]);
  if (completion) facts.push(["cost", <Cost key="cost" completion={completion} />]);
  if (firstMs !== undefined) facts.push(["first", `first token after ${formatSeconds(firstMs / 1000)}`]);
  if (speed !== undefined) facts.push(["speed", `${speed.toFixed(speed < 10 ? 1 : 0)} tokens/s`]);
  // Of one that was refused before it began, the server may know nothing.
  if (completionId && (completion || state !== "failed")) facts.push(["why", <WhyHere key="why" id={completionId} />]);
  return (
    <ul data-testid="answer-facts" className="mt-1.5 flex flex-wrap text-[13px] text-faint tabular-nums [&>li:not(:last-child)]:after:mx-1.5 [&>li:not(:last-child)]:after:content-['·']">
      {facts.map(([name, fact]) => (
        <li key={name} className="wrap-anywhere">
          {fact}
        </li>
      ))}
    </ul>
  );
}

function Ending({ answer, onRetry }: { answer: Answer; onRetry?: () => void }) {
  if (answer.state === "failed") {
    return (
      <div className="mt-2">
        <Notice
          tone="bad"
          action={
            onRetry && (
              <Button size="sm" icon={RotateCw} onClick={onRetry}>
                Ask again
              </Button>
            )
          }
        >
          {answer.error ?? "The answer failed."}
        </Notice>
      </div>
    );
  }
  if (answer.state === "stopped") return <p className="mt-1 text-[13px] text-faint">You stopped it here.</p>;
  if (answer.cut && answer.state === "done") return <p className="mt-1 text-[13px] text-warn">It ends here because it is at the max tokens.</p>;
  return null;
}

interface TurnViewProps {
  turn: Turn;
  completion: Completion | undefined;
  /** Of the last question, when it may be asked again. */
  onRetry?: () => void;
}

/** A question with its answer. */
export const TurnView = memo(function TurnView({ turn, completion, onRetry }: TurnViewProps) {
  const { question, answer } = turn;
  const underWay = isUnderWay(turn);
  return (
    <li data-testid="turn" data-state={answer.state} className="flex flex-col gap-3">
      <div className="ml-auto max-w-[85%] rounded-2xl rounded-br-md bg-accent-wash px-3.5 py-2">
        <span className="sr-only">You: </span>
        <p className="wrap-anywhere whitespace-pre-wrap">{question}</p>
      </div>
      <div className="min-w-0" aria-busy={underWay}>
        <Thoughts answer={answer} />
        <div data-testid="answer" className="min-w-0">
          <AnswerText text={answer.text} />
        </div>
        {underWay && !answer.text && (
          <p className="flex items-center gap-2 text-[13px] text-soft">
            <LoaderCircle aria-hidden className="size-4 animate-spin text-accent-ink" />
            {answer.state === "waiting" ? "Waiting for the first token…" : "Thinking…"}
          </p>
        )}
        <Ending answer={answer} onRetry={onRetry} />
        {!underWay && (
          <div className="flex items-start justify-between gap-3">
            <Facts turn={turn} completion={completion} />
            {answer.text && <CopyButton text={answer.text} label="Copy the answer" />}
          </div>
        )}
      </div>
    </li>
  );
});
